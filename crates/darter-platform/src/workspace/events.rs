//! A workspace as it changes: its state, the phases of its start, what it uses. For whoever looks at it now.

use std::sync::Arc;
use std::time::Duration;

use darter_api::workspace as api;
use darter_core::{Fault, WorkspaceId};
use tokio::sync::watch;

use super::inspect::get;
use crate::{Actor, Platform};

/// What nobody tells of (memory, processor time) is looked at this often.
const LOOK: Duration = Duration::from_secs(3);

/// The changes of one workspace.
pub struct Events {
    platform: Arc<Platform>,
    actor: Actor,
    id: WorkspaceId,
    changes: watch::Receiver<u64>,
    last: Option<api::Workspace>,
}

/// Begins to watch; the first event is the workspace as it is.
pub async fn watch(platform: &Arc<Platform>, actor: &Actor, id: &WorkspaceId) -> Result<Events, Fault> {
    // In this order nothing that happens in between is missed.
    let changes = platform.workspaces.watch(id);
    get(platform, actor, id).await?;
    Ok(Events { platform: Arc::clone(platform), actor: actor.clone(), id: id.clone(), changes, last: None })
}

impl Events {
    /// The workspace after its next change. `None`: it is gone, or whoever watches may not see it any more.
    pub async fn next(&mut self) -> Option<api::Workspace> {
        loop {
            if self.last.is_some() {
                let changed = tokio::time::timeout(LOOK, self.changes.changed()).await;
                if matches!(changed, Ok(Err(_))) {
                    return None;
                }
            }
            match get(&self.platform, &self.actor, &self.id).await {
                Ok(now) if self.last.as_ref() != Some(&now) => {
                    self.last = Some(now.clone());
                    return Some(now);
                }
                Ok(_) => {}
                // A store that is busy for a moment is no reason to hang up.
                Err(fault) if fault.retry_after.is_some() && self.last.is_some() => {}
                Err(_) => return None,
            }
        }
    }
}
