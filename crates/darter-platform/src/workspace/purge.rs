//! The end of a workspace: what lay in the recycle bin for its time, and what was temporary and forgotten, goes for good.
//!
//! The row goes last. Whoever dies in the middle finds it again, condemned: nobody sees it and nobody can restore it.

use std::sync::Arc;

use darter_core::workspace::Desired;
use darter_core::{Fault, WorkspaceId};
use darter_store::workspace;
use serde_json::json;

use super::config::millis;
use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// Deletes everything of a condemned workspace. Safe to repeat.
pub(crate) async fn remove_for_good(platform: &Platform, id: &WorkspaceId) -> Result<(), Fault> {
    platform.workspaces.take_down(id);
    platform.workspaces.engine.stop(id).await?;
    platform.workspaces.engine.forget(id).await?;
    // A snapshot that was being made has failed by now, and writes nothing after this.
    let _alone = platform.workspaces.vault.lock(id).await;
    platform.workspaces.vault.forget(id).await.map_err(Fault::internal)?;
    let mut tx = platform.store.write().await?;
    workspace::remove(&mut tx, id).await?;
    Ok(tx.commit().await?)
}

/// Puts forgotten temporary workspaces into the bin, and removes what is due. Returns how many went.
pub async fn purge_due(platform: &Arc<Platform>) -> Result<usize, Fault> {
    let config = &platform.config.workspaces;
    let now = platform.clock.now();
    let mut tx = platform.store.write().await?;
    for id in workspace::forgotten(&mut tx, now - millis(config.temporary_ms)).await? {
        if workspace::wish(&mut tx, &id, (Desired::Asleep, Desired::Recycled), now).await? {
            let change = Change::of("workspace.delete", &id, json!({ "why": "temporary, and not used for long" }));
            record(&mut tx, &Actor::server(), change).await?;
        }
    }
    tx.commit().await?;
    let due = workspace::purgeable(&mut *platform.store.read().await?, now - millis(config.recycle_ms)).await?;
    let mut purged = 0;
    for id in due.into_iter().filter(|id| !platform.workspaces.is_filling(id)) {
        let mut tx = platform.store.write().await?;
        if workspace::condemn(&mut tx, &id).await? {
            record(&mut tx, &Actor::server(), Change::of("workspace.purge", &id, json!({ "why": "its time is over" })))
                .await?;
        }
        tx.commit().await?;
        match remove_for_good(platform, &id).await {
            Ok(()) => purged += 1,
            Err(fault) => {
                tracing::warn!(workspace = %id, %fault, cause = ?fault.cause, "a workspace could not be removed; it is tried again");
            }
        }
    }
    Ok(purged)
}
