//! What runs workspaces, and what it asks of the platform: the seam of `docs/decisions/2026-11-25-workspaces.md`.
//!
//! The platform knows nothing of sandboxes. Everything that comes out of one through here is hostile.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::{Depth, Door, EnvironmentName, WorkspaceLimits, WorkspaceRest};
use darter_core::{Fault, Millis, WorkspaceId};
use tokio::net::UnixStream;

/// What the engine sees of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceState {
    Stopped,
    Queued,
    Starting,
    Running,
    Frozen,
    Stopping,
    Failed,
}

/// A sight of a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    pub state: WorkspaceState,
    pub since: Millis,
    /// Of a failed one: its code, and what happened and what to do.
    pub trouble: Option<(String, String)>,
    /// The last start, or the one that goes on.
    pub start: Option<StartPhases>,
    /// It was stopped because it was quiet for long.
    pub rested: bool,
}

/// Why something happens next, for the message catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No input, no jobs, no connection.
    Quiet,
    /// No input and no jobs, although a tab is open.
    OpenButQuiet,
    /// Jobs alone keep it awake only for so long.
    JobsForLong,
    /// It is frozen for long.
    FrozenForLong,
}

/// What it is doing now, in detail.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceStatus {
    pub seen: Observed,
    /// Place in the queue of starts (1: the next) and how long it will probably take, in milliseconds.
    pub queue: Option<(u32, u64)>,
    /// What happens when nobody does anything, when, and why.
    pub next: Option<(WorkspaceState, Millis, Why)>,
    pub usage: Option<WorkspaceUsage>,
    pub ports: Vec<ListeningPort>,
}

/// What it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkspaceUsage {
    pub at: Millis,
    pub cpu_usec: u64,
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    pub pids: u32,
    pub disk_bytes: u64,
    pub out_of_memory: u32,
}

/// A program inside that listens. The name is the tenant's: never trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListeningPort {
    pub port: u16,
    pub address: String,
    pub program: String,
}

/// Everything that a workspace starts from. Law 6: holds only what belongs to this workspace.
#[derive(Debug, Clone)]
pub struct WorkspaceBundle {
    pub id: WorkspaceId,
    pub environment: EnvironmentName,
    pub depth: Depth,
    pub limits: Arc<WorkspaceLimits>,
    pub variables: BTreeMap<String, String>,
    pub rest: WorkspaceRest,
    pub hostname: String,
    /// Its own host, e.g. `http://ada-a1b2c3d4e5.darter-apps.localhost:7070`, and a port's with `{{port}}` in it.
    pub addresses: (String, String),
    pub keep_until: Option<Millis>,
}

/// A raw byte stream into the sandbox. The lease counts as an open connection until it is dropped.
pub struct WorkspaceConnection {
    pub stream: UnixStream,
    pub lease: Box<dyn std::any::Any + Send + Sync>,
    pub start: Option<StartPhases>,
}

/// A sign that somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Keys in an editor, a notebook or a terminal.
    Input,
}

/// Runs workspaces. All calls are safe to repeat.
#[async_trait]
pub trait Workspaces: Send + Sync + 'static {
    /// Connects to a door; starts or thaws the workspace when that is needed.
    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<WorkspaceConnection, Fault>;
    /// Starts it and waits until its depth answers.
    async fn start(&self, id: &WorkspaceId) -> Result<StartPhases, Fault>;
    /// Ends it in order. Returns when nothing of it runs.
    async fn stop(&self, id: &WorkspaceId) -> Result<(), Fault>;
    /// What it is doing now.
    fn status(&self, id: &WorkspaceId) -> WorkspaceStatus;
    /// Somebody is there.
    fn touch(&self, id: &WorkspaceId, signal: Signal);
    /// It does not go to rest before.
    fn keep_until(&self, id: &WorkspaceId, until: Option<Millis>);
    /// Copies a volume while it rests, for a clone.
    async fn copy_home(&self, from: &WorkspaceId, to: &WorkspaceId) -> Result<(), Fault>;
    /// Deletes what is kept on disk for a workspace that is gone.
    async fn forget(&self, id: &WorkspaceId) -> Result<(), Fault>;
    /// Is there an environment of this name? Installed or not.
    fn environment(&self, name: &EnvironmentName) -> bool;
}

/// What the engine asks of the platform.
#[async_trait]
pub trait WorkspaceSource: Send + Sync + 'static {
    async fn load(&self, id: &WorkspaceId) -> Result<WorkspaceBundle, Fault>;
    /// The observed state changed. Never blocks.
    fn observed(&self, id: &WorkspaceId, seen: Observed);
}
