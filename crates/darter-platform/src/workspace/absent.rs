//! A server that runs no workspaces: every start is refused with a sentence that says so. Nothing here pretends.

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::{Door, EnvironmentName};
use darter_core::{Fault, Kind, Millis, WorkspaceId};

use super::contract::{Observed, Signal, WorkspaceConnection, WorkspaceState, WorkspaceStatus, Workspaces};

/// Runs nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoWorkspaces;

fn none() -> Fault {
    let message = "This server runs no workspaces. Ask its operator.";
    Fault::new(Kind::Unavailable, "workspace.not_offered", message)
}

#[async_trait]
impl Workspaces for NoWorkspaces {
    async fn connect(&self, _: &WorkspaceId, _: Door) -> Result<WorkspaceConnection, Fault> {
        Err(none())
    }

    async fn start(&self, _: &WorkspaceId) -> Result<StartPhases, Fault> {
        Err(none())
    }

    async fn stop(&self, _: &WorkspaceId) -> Result<(), Fault> {
        Ok(())
    }

    fn status(&self, _: &WorkspaceId) -> WorkspaceStatus {
        let seen = Observed { state: WorkspaceState::Stopped, since: 0, trouble: None, start: None, rested: false };
        WorkspaceStatus { seen, queue: None, next: None, usage: None, ports: Vec::new() }
    }

    fn touch(&self, _: &WorkspaceId, _: Signal) {}

    fn keep_until(&self, _: &WorkspaceId, _: Option<Millis>) {}

    async fn copy_home(&self, _: &WorkspaceId, _: &WorkspaceId) -> Result<(), Fault> {
        Err(none())
    }

    async fn forget(&self, _: &WorkspaceId) -> Result<(), Fault> {
        Ok(())
    }

    fn environment(&self, _: &EnvironmentName) -> bool {
        false
    }
}
