//! Removing an environment from the server. Its recipe stays: it can be installed again.

use darter_core::Fault;

use super::named;
use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// Refused while a workspace runs on it or another one extends it. Workspaces at rest that name it wait until it is
/// installed again.
pub async fn remove(platform: &Platform, actor: &Actor, name: &str) -> Result<(), Fault> {
    actor.require_administrator()?;
    let name = named(name)?;
    platform.workspaces.environments.remove(&name).await?;
    let mut tx = platform.store.write().await?;
    record(&mut tx, actor, Change::of("environment.remove", &name, serde_json::json!({}))).await?;
    Ok(tx.commit().await?)
}
