//! Ends a workspace in order: the editor may save, the home is written out, and only then everything is killed.

use std::sync::Arc;
use std::time::Duration;

use darter_core::Fault;
use darter_core::workspace::lifecycle::{Event, State};
use serde_json::json;

use super::Shared;
use super::act::is_of;
use super::unit::Unit;
use super::workspace::{Inner, Workspace};

/// Writing a home out may take a while; killing writes it out, too.
const SYNC: Duration = Duration::from_secs(10);

impl Shared {
    /// The machine is `Stopping`. Without a unit its start is being cancelled, and that sees to the rest.
    pub(super) fn end(self: &Arc<Self>, workspace: &Arc<Workspace>, inner: &mut Inner) {
        inner.cancel.cancel();
        let Some(unit) = inner.unit.clone() else { return };
        let editor = inner.editor.started;
        let (shared, workspace) = (Arc::clone(self), Arc::clone(workspace));
        tokio::spawn(async move {
            shared.end_in_order(&unit, editor).await;
            let mut inner = workspace.lock();
            // A start that was cancelled at the same moment may have been first.
            if inner.life.state == State::Stopping && is_of(&inner, &unit) {
                shared.apply_if_taken(&workspace, &mut inner, Event::Gone);
            }
        });
    }

    async fn end_in_order(&self, unit: &Arc<Unit>, editor: bool) {
        // An ended or broken one is killed all the same.
        let _ = unit.sandbox.thaw();
        let grace = self.config.stop_grace_ms;
        let asked = async {
            if editor {
                let patience = Duration::from_millis(grace) + Duration::from_secs(2);
                let stopped = unit.attendant.post("/v1/editor/stop", json!({"grace_ms": grace}), patience).await;
                if let Err(error) = stopped {
                    tracing::debug!(%error, "an editor was not ended in order");
                }
            }
            if let Err(error) = unit.attendant.post("/v1/sync", json!({}), SYNC).await {
                tracing::debug!(%error, "a home was not written out in order");
            }
        };
        tokio::select! {
            () = asked => {}
            _ = unit.sandbox.wait() => {}
        }
        unit.sandbox.kill().await;
    }

    /// Stops it and waits until nothing of it runs.
    pub(super) async fn stop(self: &Arc<Self>, workspace: &Arc<Workspace>) -> Result<(), Fault> {
        workspace.lock().stops += 1;
        loop {
            let mut seen = workspace.watch();
            {
                let mut inner = workspace.lock();
                match inner.life.state {
                    State::Stopped => return Ok(()),
                    State::Stopping => {}
                    State::Queued
                    | State::Starting
                    | State::Pausing
                    | State::Running
                    | State::Frozen
                    | State::Reclaimed
                    | State::Failed => self.apply_if_taken(workspace, &mut inner, Event::Stop),
                }
                if inner.life.state == State::Stopped {
                    return Ok(());
                }
            }
            // The sender lives as long as the workspace that we hold.
            let _ = seen.changed().await;
        }
    }
}
