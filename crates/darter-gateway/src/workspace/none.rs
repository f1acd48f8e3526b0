//! A gateway in front of no workspace at all.

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::workspace::Door;
use darter_core::{Fault, WorkspaceId};

use super::doors::{Connection, Doors, Entry, Front, Signal, Spot, WorkspaceRoute};

/// Knows no workspace: every address is *not found*.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWorkspaces;

fn none<T>() -> Result<T, Fault> {
    Err(Fault::not_found("workspace.not_found", "This server has no workspaces."))
}

#[async_trait]
impl Doors for NoWorkspaces {
    fn route(&self, _id: &WorkspaceId) -> Option<Arc<WorkspaceRoute>> {
        None
    }
    fn assets(&self, _digest: &str) -> Option<Arc<dyn Front>> {
        None
    }
    fn is_public(&self, _id: &WorkspaceId, _port: u16) -> bool {
        false
    }
    fn wants_tls(&self, _id: &WorkspaceId, _port: u16) -> bool {
        false
    }
    fn is_valid(&self, _spot: &Spot, _token: &str) -> bool {
        false
    }
    async fn visit(&self, _spot: &Spot, _visit: &str) -> Result<Option<Entry>, Fault> {
        Ok(None)
    }
    async fn redeem(&self, _spot: &Spot, _code: &str) -> Result<Entry, Fault> {
        none()
    }
    async fn by_access_token(&self, _spot: &Spot, _token: &str) -> Result<(), Fault> {
        none()
    }
    fn enter(&self, _to: &str) -> String {
        "/".into()
    }
    async fn wake(&self, _id: &WorkspaceId, _door: Door) -> Result<(), Fault> {
        none()
    }
    async fn has_any(&self, _id: &WorkspaceId, _paths: &[String]) -> Result<bool, Fault> {
        none()
    }
    async fn connect(&self, _id: &WorkspaceId, _door: Door) -> Result<Connection, Fault> {
        none()
    }
    fn touch(&self, _id: &WorkspaceId, _signal: Signal) {}
    async fn status(&self, _id: &WorkspaceId) -> Result<String, Fault> {
        none()
    }
    async fn keep(&self, _id: &WorkspaceId, _minutes: u32) -> Result<String, Fault> {
        none()
    }
}
