//! Environments: who may see them, who may install and remove them. What they are is the engine's.

mod install;
mod list;
mod remove;
mod verify;

pub use install::{Watched, install, watch};
pub use list::{get, list};
pub use remove::remove;
pub use verify::verify;

use darter_core::Fault;
use darter_core::workspace::EnvironmentName;

/// What somebody wrote as a name. A word that cannot be one names nothing.
fn named(text: &str) -> Result<EnvironmentName, Fault> {
    text.parse().map_err(|_| {
        let message = "There is no such environment. The list of environments has all there are.";
        Fault::not_found("environment.not_found", message)
    })
}
