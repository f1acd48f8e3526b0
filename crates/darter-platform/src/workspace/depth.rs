//! In which depth a workspace opens. It must never keep a depth that its editor does not have: nothing would answer.

use darter_core::Fault;
use darter_core::workspace::{Depth, EnvironmentName};

use crate::Platform;

/// What was asked for, else what it was. Where the editor has no light depth, light is refused when it was asked for, and
/// given up when only the environment changed.
pub(super) fn settle(
    platform: &Platform,
    environment: &EnvironmentName,
    asked: Option<Depth>,
    before: Depth,
) -> Result<Depth, Fault> {
    let depth = asked.unwrap_or(before);
    if depth == Depth::Full || has_light(platform, environment) {
        return Ok(depth);
    }
    if asked.is_none() {
        return Ok(Depth::Full);
    }
    let message = "The editor of this environment has no light depth. Leave the depth out, or choose full.";
    Err(Fault::invalid("workspace.no_light_depth", message).with("environment", environment.as_str()))
}

/// An environment that has gone from this server is not judged.
fn has_light(platform: &Platform, environment: &EnvironmentName) -> bool {
    platform.workspaces.environments.inspect(environment).map_or(true, |listed| listed.light)
}
