//! A server that runs no workspaces: every start is refused with a sentence that says so. Nothing here pretends.

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Door, EnvironmentName};
use darter_core::{Fault, Kind, Millis, WorkspaceId};
use darter_engine::environment::{Environments, InstalledEnvironment};
use darter_engine::workspace::{
    Observed, Signal, SnapshotIndex, SnapshotStream, WorkspaceConnection, WorkspaceStatus, Workspaces,
};

/// Runs nothing, and has nothing to start from.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoWorkspaces;

fn none() -> Fault {
    let message = "This server runs no workspaces. Ask its operator.";
    Fault::new(Kind::Unavailable, "workspace.not_offered", message)
}

/// Nothing of it runs, and nothing is known of it.
pub fn at_rest() -> WorkspaceStatus {
    WorkspaceStatus {
        observed: Observed { state: State::Stopped, since: 0, rested: false, queue: None, trouble: None, start: None },
        next: None,
        keep_until: None,
        input_at: None,
        connections: 0,
        jobs: Vec::new(),
        ports: Vec::new(),
        terminals: 0,
        usage: None,
        egress: (0, 0),
    }
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
        at_rest()
    }

    fn touch(&self, _: &WorkspaceId, _: Signal) {}

    fn keep_until(&self, _: &WorkspaceId, _: Option<Millis>) {}

    async fn refresh(&self, _: &WorkspaceId) -> Result<(), Fault> {
        Ok(())
    }

    async fn export(&self, _: &WorkspaceId, _: Option<SnapshotIndex>) -> Result<SnapshotStream, Fault> {
        Err(none())
    }

    async fn replace(&self, _: &WorkspaceId, _: SnapshotStream) -> Result<(), Fault> {
        Err(none())
    }

    async fn import(&self, _: &WorkspaceId, _: SnapshotStream) -> Result<(), Fault> {
        Err(none())
    }

    async fn copy_home(&self, _: &WorkspaceId, _: &WorkspaceId) -> Result<(), Fault> {
        Err(none())
    }

    async fn forget(&self, _: &WorkspaceId) -> Result<(), Fault> {
        Ok(())
    }

    async fn shutdown(&self, _: u64) {}
}

#[async_trait]
impl Environments for NoWorkspaces {
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault> {
        let message = format!("There is no environment {name} on this server. Ask its operator.");
        Err(Fault::not_found("environment.not_found", message))
    }

    fn ready(&self) -> Vec<Arc<InstalledEnvironment>> {
        Vec::new()
    }
}
