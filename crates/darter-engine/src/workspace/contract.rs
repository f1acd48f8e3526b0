//! What an engine offers for workspaces and what it needs. Gateway and platform speak only this.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::rest::Next;
use darter_core::workspace::{Depth, Door, EnvironmentName, WorkspaceLimits, WorkspaceRest};
use darter_core::{AccountId, Fault, Millis, WorkspaceId};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio::net::UnixStream;

/// Everything that a workspace starts from. Law 6: holds only what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceBundle {
    pub id: WorkspaceId,
    /// Whose it is: the queue of starts is fair between owners.
    pub owner: AccountId,
    pub environment: EnvironmentName,
    pub depth: Depth,
    pub limits: Arc<WorkspaceLimits>,
    pub rest: WorkspaceRest,
    /// Variables and secrets together, as its programs see them.
    pub variables: BTreeMap<String, String>,
    /// What `hostname` says inside.
    pub hostname: String,
    /// Where a port of it is reached from outside, with `{{port}}` in the place of its number.
    pub port_address: String,
}

/// What the engine asks of the platform.
#[async_trait]
pub trait WorkspaceSource: Send + Sync + 'static {
    /// What it is to be started from now. `workspace.not_found`, `workspace.recycled` … when it may not run.
    async fn load(&self, id: &WorkspaceId) -> Result<WorkspaceBundle, Fault>;
    /// Its home is not on this machine, and it is about to start: what was kept of it last. `None`: it has never had one.
    async fn kept(&self, _id: &WorkspaceId) -> Result<Option<KeptHome>, Fault> {
        Ok(None)
    }
    /// The engine has made the home that was missing of what was kept. Never blocks.
    fn brought_back(&self, _id: &WorkspaceId, _kept: &str) {}
    /// What the engine sees has changed. Never blocks. What is up for an errand only (a snapshot) is not told: nobody
    /// wanted it, and it is back at rest in a moment.
    fn observed(&self, id: &WorkspaceId, seen: Observed);
    /// Somebody opened it while it was at rest. Never blocks.
    fn opened(&self, _id: &WorkspaceId) {}
}

/// What the engine sees of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    pub state: State,
    pub since: Millis,
    /// It went to rest by itself, nobody stopped it.
    pub rested: bool,
    /// Of one that is queued.
    pub queue: Option<QueuePlace>,
    /// What went wrong last; absent once it runs well.
    pub trouble: Option<Trouble>,
    /// The last start, or as far as the one has got that goes on.
    pub start: Option<StartPhases>,
}

/// A place in the queue of starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePlace {
    /// 1: the next.
    pub place: u32,
    pub estimate_ms: u64,
}

/// Why something does not run, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Stable, `noun.reason`: `workspace.out_of_memory`, `workspace.crashed`, `workspace.not_ready` …
    pub code: String,
    /// For a person: what happened, why, what to do.
    pub message: String,
    /// What the editor wrote last.
    pub last_lines: Vec<String>,
    pub at: Millis,
}

/// A program inside that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPort {
    pub port: u16,
    pub address: String,
    pub name: String,
}

/// A process that keeps the workspace awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub pid: u32,
    pub name: String,
}

/// What it uses now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceUsage {
    /// Time of all cores since it started: two of them make a rate.
    pub cpu_usec: u64,
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    pub pids: u64,
    /// In the home, and the most that fits.
    pub disk_bytes: u64,
    pub disk_limit_bytes: u64,
    /// Processes that were ended because the memory was full, since it started.
    pub out_of_memory: u64,
}

/// Everything about a workspace as its owner may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceStatus {
    pub observed: Observed,
    /// What happens when nobody does anything.
    pub next: Option<Next>,
    pub keep_until: Option<Millis>,
    /// When a person last did something in it.
    pub input_at: Option<Millis>,
    pub connections: u32,
    pub jobs: Vec<Job>,
    pub ports: Vec<OpenPort>,
    pub terminals: u32,
    /// Absent while nothing of it runs.
    pub usage: Option<WorkspaceUsage>,
    /// Bytes sent and received through the way out since the server started.
    pub egress: (u64, u64),
}

/// A sign of life that the gateway or the console saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A person did something.
    Input,
    /// An open page says something that wants an answer. A frozen workspace is thawed for that, and rests on.
    Spoke,
}

/// Counts as an open connection of the workspace until it is dropped.
pub struct WorkspaceLease(pub Box<dyn std::any::Any + Send + Sync>);

impl std::fmt::Debug for WorkspaceLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkspaceLease")
    }
}

/// A raw byte stream into the sandbox: whoever asked speaks HTTP/1.1 over it (a port: whatever is spoken there).
#[derive(Debug)]
pub struct WorkspaceConnection {
    pub stream: UnixStream,
    pub lease: WorkspaceLease,
    /// Where the time went, when this connection started or thawed the workspace.
    pub start: Option<StartPhases>,
}

/// What an earlier snapshot holds, as the attendant wants it (`known`): a JSON array.
pub type SnapshotIndex = Vec<u8>;

/// A home as the attendant writes it (`docs/reference/attendant.md`, Snapshots). Hostile: parse strictly.
pub struct SnapshotStream {
    pub bytes: Pin<Box<dyn AsyncRead + Send>>,
    /// Held while it is read: the workspace is not ended meanwhile.
    pub lease: Option<WorkspaceLease>,
}

/// The newest snapshot of a home that is gone.
pub struct KeptHome {
    /// Which it is.
    pub name: String,
    pub made_at: Millis,
    pub files: SnapshotStream,
}

/// Runs workspaces. All calls are safe to repeat.
#[async_trait]
pub trait Workspaces: Send + Sync + 'static {
    /// Connects to a door; starts or thaws the workspace when that is needed. Returns as soon as the socket has taken the
    /// connection: the editor may still be starting, and bytes wait in its backlog (a port answers `workspace.port_closed`
    /// when nobody listens). Faults: `workspace.not_found`, `workspace.recycled`, `workspace.queue_full` (429,
    /// retry_after, place), `workspace.start_failed` (reason, what to do), `environment.not_installed` (progress).
    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<WorkspaceConnection, Fault>;
    /// Starts it and waits until its depth answers; the phases say where the time went. Dropping the future changes
    /// nothing: the start goes on.
    async fn start(&self, id: &WorkspaceId) -> Result<StartPhases, Fault>;
    /// Ends it in order: the editor gets SIGTERM, the home is written out. Returns when nothing of it runs.
    async fn stop(&self, id: &WorkspaceId) -> Result<(), Fault>;
    /// Does it have files on this machine? One that was never started has none, and one whose disk was lost.
    fn has_home(&self, _id: &WorkspaceId) -> bool {
        true
    }
    /// What it is now. Costs no wait.
    fn status(&self, id: &WorkspaceId) -> WorkspaceStatus;
    /// A sign of life.
    fn touch(&self, id: &WorkspaceId, signal: Signal);
    /// It does not go to rest before. Remembered while the server runs; the platform says it again after a start.
    fn keep_until(&self, id: &WorkspaceId, until: Option<Millis>);
    /// Limits, rest or variables have changed: CPU, memory, processes and rest take effect at once, all else with the next
    /// start.
    async fn refresh(&self, id: &WorkspaceId) -> Result<(), Fault>;
    /// The home as a stream from inside; starts only the attendant when it sleeps.
    async fn export(&self, id: &WorkspaceId, since: Option<SnapshotIndex>) -> Result<SnapshotStream, Fault>;
    /// Makes a new home of a stream and puts it in the place of the one that is there, all at once: until then, and when
    /// anything fails, the old one stays. What runs is ended before.
    async fn replace(&self, id: &WorkspaceId, files: SnapshotStream) -> Result<(), Fault>;
    /// Replaces files of the home by those of a stream, from inside, one after the other.
    async fn import(&self, id: &WorkspaceId, files: SnapshotStream) -> Result<(), Fault>;
    /// Copies a home at rest into that of another workspace that has none yet. `workspace.awake` when it runs.
    async fn copy_home(&self, from: &WorkspaceId, to: &WorkspaceId) -> Result<(), Fault>;
    /// Deletes what the engine keeps of a workspace that is gone: one file, however many are in it.
    async fn forget(&self, id: &WorkspaceId) -> Result<(), Fault>;
    /// Ends everything in order, for at most `grace_ms`.
    async fn shutdown(&self, grace_ms: u64);
}
