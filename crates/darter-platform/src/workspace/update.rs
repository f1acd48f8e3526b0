//! Changing a workspace: its name, what it may use, when it rests, how deep and in which environment it runs.

use std::sync::Arc;

use darter_api::workspace as api;
use darter_core::role::{Action, TokenScope};
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Depth, Desired, EnvironmentName, SnapshotReason, desired};
use darter_core::{Fault, WorkspaceId};
use darter_store::workspace::Workspace;

use super::access::{Opened, stale};
use super::create::known_environment;
use super::state::renew;
use super::view::show;
use super::{depth, snapshot};
use crate::{Actor, Platform};

/// Changes what is given. With `expected`, only if the workspace is still at that revision. What it starts from takes
/// effect at once: a workspace that runs is started anew, and its files stay.
pub async fn update(
    platform: &Arc<Platform>,
    actor: &Actor,
    id: &WorkspaceId,
    (input, expected): (api::UpdateWorkspace, Option<i64>),
) -> Result<api::Workspace, Fault> {
    let environment = match &input.environment {
        Some(name) => Some(known_environment(platform, name).await?),
        None => None,
    };
    if let Some(environment) = &environment {
        depth::settle(platform, environment, input.depth, Depth::Full)?;
        // Another environment's programs will work on these files.
        save_before(platform, actor, id, Some(environment)).await?;
    }
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?.not_recycled()?;
    let before = opened.found.workspace.clone();
    if expected.is_some_and(|expected| expected != before.revision) {
        return Err(stale(before.revision));
    }
    apply(platform, &mut opened.found.workspace, &input)?;
    let row = &mut opened.found.workspace;
    if let Some(environment) = environment {
        row.environment = environment;
    }
    row.depth = depth::settle(platform, &row.environment, input.depth, row.depth)?;
    let details = serde_json::to_value(&input).map_err(Fault::internal)?;
    opened.save(platform, ("workspace.update", details)).await?;
    opened.tx.commit().await?;
    let found = opened.found;
    let after = &found.workspace;
    platform.workspaces.hang(after, &found.owner_name);
    platform.workspaces.changed(id);
    let anew = (&before.environment, before.depth, before.limits.disk_bytes)
        != (&after.environment, after.depth, after.limits.disk_bytes);
    let runs = platform.workspaces.engine.status(id).observed.state.is_live();
    if anew && runs && after.desired == Desired::Awake {
        renew(platform, id, after.keep_until).await?;
    } else if (&before.limits, &before.rest) != (&after.limits, &after.rest) {
        platform.workspaces.engine.refresh(id).await?;
    }
    Ok(show(platform, &found))
}

/// Saves a home that has been used before its environment changes. Nothing is saved for a change that will be refused.
async fn save_before(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    wanted: Option<&EnvironmentName>,
) -> Result<(), Fault> {
    let right = (Action::Own, TokenScope::Write);
    let found = Opened::read_as(platform, actor, id, right).await?.found;
    let changes = wanted.is_some_and(|wanted| *wanted != found.workspace.environment);
    let state = platform.workspaces.engine.status(id).observed.state;
    if !changes || (found.observed.is_none() && state == State::Stopped) {
        return Ok(());
    }
    snapshot::before(platform, actor, id, SnapshotReason::Environment).await
}

fn apply(platform: &Platform, row: &mut Workspace, input: &api::UpdateWorkspace) -> Result<(), Fault> {
    let config = &platform.config.workspaces;
    if let Some(name) = &input.name {
        desired::validate_name(name)?;
        name.trim().clone_into(&mut row.name);
    }
    if let Some(limits) = &input.limits {
        limits.validate(&config.limits_most)?;
        row.limits = limits.clone();
    }
    if let Some(rest) = &input.rest {
        rest.validate(&config.rest_most)?;
        row.rest = rest.clone();
    }
    row.kept = input.kind.unwrap_or(row.kept);
    Ok(())
}
