//! Verifying an environment: an administrator has every file compared with what the install left.

use darter_api::environment::EnvironmentVerified;
use darter_core::Fault;

use super::named;
use crate::{Actor, Platform};

/// The files that differ.
pub async fn verify(platform: &Platform, actor: &Actor, name: &str) -> Result<EnvironmentVerified, Fault> {
    actor.require_administrator()?;
    Ok(EnvironmentVerified { different: platform.workspaces.environments.verify(&named(name)?).await? })
}
