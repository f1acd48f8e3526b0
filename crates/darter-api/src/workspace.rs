//! Workspaces: a persistent home, an editor and a sandbox.

use std::collections::BTreeMap;

use darter_core::role::Role;
use darter_core::workspace::port::{Protocol, Visibility};
use darter_core::workspace::{Depth, Desired, Kept, SnapshotReason, WorkspaceLimits, WorkspaceRest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::function::Phase;

/// A workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    /// `named` or `temporary`
    #[schema(value_type = String)]
    pub kind: Kept,
    pub environment: String,
    /// `light` or `full`
    #[schema(value_type = String)]
    pub depth: Depth,
    /// The caller's role: `viewer`, `editor`, `owner`.
    #[schema(value_type = String)]
    pub role: Role,
    /// What its owner wants: `awake`, `asleep`, `recycled`.
    #[schema(value_type = String)]
    pub desired: Desired,
    pub observed: Observed,
    /// Everything that could be done, and whether it can be done now.
    pub actions: Vec<Offer>,
    /// What happens to it when nobody does anything.
    #[serde(default)]
    pub next: Option<Next>,
    /// It does not go to rest before.
    #[serde(default)]
    pub keep_until: Option<i64>,
    pub activity: Activity,
    #[schema(value_type = Object)]
    pub limits: WorkspaceLimits,
    #[schema(value_type = Object)]
    pub rest: WorkspaceRest,
    /// Absent while nothing of it runs.
    #[serde(default)]
    pub usage: Option<Usage>,
    pub addresses: Addresses,
    /// Changes with every change; send it back as `If-Match`.
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    /// When somebody last wanted it: made, started, opened.
    pub used_at: i64,
    #[serde(default)]
    pub recycled_at: Option<i64>,
}

/// What the engine sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Observed {
    /// `stopped`, `queued`, `starting`, `pausing` (it ended unexpectedly and is started again in a moment), `running`,
    /// `frozen`, `reclaimed` (frozen, and its memory pushed out), `stopping`, `failed`
    pub state: String,
    pub since: i64,
    /// In the queue of starts.
    #[serde(default)]
    pub queue: Option<QueuePlace>,
    /// Of a failed one: what happened and what to do.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// The last start, or the one that goes on.
    #[serde(default)]
    pub start: Option<Start>,
}

/// A place in the queue of starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueuePlace {
    /// 1: the next.
    pub place: u32,
    /// How long it will probably take.
    pub estimate_ms: u64,
}

/// Why something does not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trouble {
    /// Stable, `noun.reason`.
    pub code: String,
    /// For a person: what happened, why, what to do.
    pub message: String,
    /// What the editor wrote last.
    #[serde(default)]
    pub last_lines: Vec<String>,
    pub at: i64,
}

/// What goes on in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// When a person last did something in it.
    #[serde(default)]
    pub input_at: Option<i64>,
    pub connections: u32,
    pub terminals: u32,
    /// What keeps it awake.
    pub jobs: Vec<Job>,
}

/// A process that keeps a workspace awake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub pid: u32,
    pub name: String,
}

/// Where the time of a start went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Start {
    /// What it was before: `pool`, `empty`, `frozen`.
    pub from: String,
    pub phases: Vec<Phase>,
    pub total_us: u64,
}

/// Something that could be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// `open`, `start`, `stop`, `restart`, `keep`, `rename`, `update`, `snapshot`, `clone`, `delete`, `restore`, `purge`
    pub action: String,
    pub allowed: bool,
    /// Why not; absent when it is allowed.
    #[serde(default)]
    pub reason: Option<Reason>,
}

/// A reason as a key of the message catalogue and what belongs into the sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// `quiet`, `open_but_quiet`, `jobs_limit`, `job_ended`, `kept`, `frozen_for_long`, `temporary`, `recycled`; of an
    /// offer: `role`, `recycled`, `not_recycled`, `asleep`, `awake`
    pub key: String,
    /// Numbers and texts by name; times end in `_at`, durations in `_ms`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: BTreeMap<String, serde_json::Value>,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Next {
    /// `frozen`, `stopped`, `purged`
    pub state: String,
    pub at: i64,
    pub reason: Reason,
}

/// What it uses now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    pub at: i64,
    /// Time of all cores since it started, in microseconds: two of them make a rate.
    pub cpu_usec: u64,
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    pub pids: u64,
    pub disk_bytes: u64,
    pub disk_limit_bytes: u64,
    /// Processes that were ended because the memory was full, since it started.
    pub out_of_memory: u64,
    /// Over its way out, since the server started.
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Addresses {
    /// The editor, without a slash at the end.
    pub editor: String,
    /// A port's, with `{{port}}` in the place of its number.
    pub port: String,
    /// What to give to `ssh`: `ssh://ada-k3v9m2p7qa@localhost:7022`. Absent: this server takes no SSH.
    #[serde(default)]
    pub ssh: Option<String>,
}

/// `POST /workspaces`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorkspace {
    pub name: String,
    pub environment: String,
    /// `named` unless told.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Kept>,
    /// `full` unless told.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub depth: Option<Depth>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub limits: Option<WorkspaceLimits>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub rest: Option<WorkspaceRest>,
    /// Starts at once unless told not to.
    #[serde(default)]
    pub start: Option<bool>,
}

/// `PATCH /workspaces/{workspace}`. Absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWorkspace {
    #[serde(default)]
    pub name: Option<String>,
    /// A snapshot is made before; takes effect with the next start, which this brings about.
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub depth: Option<Depth>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Kept>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub limits: Option<WorkspaceLimits>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub rest: Option<WorkspaceRest>,
}

/// `POST /workspaces/{workspace}/keep`: it does not go to rest for so long.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepWorkspace {
    /// Two hours unless told; 0 lets it rest again.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// `POST /workspaces/{workspace}/clone`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloneWorkspace {
    pub name: String,
    /// From this snapshot; from the home as it is unless told.
    #[serde(default)]
    pub snapshot: Option<String>,
}

/// `POST /workspaces/{workspace}/open`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenWorkspace {
    /// A port's page instead of the editor's.
    #[serde(default)]
    pub port: Option<u16>,
    /// Where to on that host; `/` unless told.
    #[serde(default)]
    pub path: Option<String>,
}

/// An address that signs one browser in, once, within a minute.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OneTimeAddress {
    pub url: String,
    pub expires_at: i64,
}

/// A port of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Port {
    pub port: u16,
    /// `private` (members, and whoever has a share link), `signed_in`, `public`
    #[schema(value_type = String)]
    pub visibility: Visibility,
    /// `http` or `https`: what the program behind it speaks
    #[schema(value_type = String)]
    pub protocol: Protocol,
    /// A program listens on it now.
    pub listening: bool,
    /// Where inside: `127.0.0.1`, `0.0.0.0`, `::`.
    pub address: String,
    pub program: String,
    pub url: String,
}

/// `PUT /workspaces/{workspace}/ports/{port}`. Absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPort {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub visibility: Option<Visibility>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub protocol: Option<Protocol>,
}

/// `POST /workspaces/{workspace}/ports/{port}/shares`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharePort {
    /// A day unless told; at least a minute, at most 90 days.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// A link that opens one port for whoever has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PortShare {
    pub id: String,
    pub port: u16,
    /// Shown only when the link is made.
    #[serde(default)]
    pub url: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
}

/// A snapshot of a workspace's home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    pub id: String,
    /// `manual`, `timetable`, `delete`, `restore` (before another one was restored), `depth`, `environment`
    #[schema(value_type = String)]
    pub reason: SnapshotReason,
    pub label: String,
    pub environment: String,
    pub files: u64,
    /// Of the files.
    pub bytes: u64,
    /// What the server's disk had to take for it.
    pub stored_bytes: u64,
    pub created_at: i64,
}

/// `POST /workspaces/{workspace}/snapshots`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSnapshot {
    /// At most 100 characters.
    #[serde(default)]
    pub label: Option<String>,
}

/// `POST /workspaces/{workspace}/snapshots/{snapshot}/restore`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreSnapshot {
    /// Only what is at this path; the whole home unless told, which is emptied first.
    #[serde(default)]
    pub path: Option<String>,
}

/// What is in a folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FolderList {
    pub entries: Vec<FolderEntry>,
    /// There is more than is listed.
    #[serde(default)]
    pub more: bool,
}

/// Something in a folder. The name is the tenant's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FolderEntry {
    #[serde(default)]
    pub name: String,
    /// Instead of `name` when that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_b64: Option<String>,
    /// `file`, `directory`, `link`, `other`
    #[serde(rename = "type")]
    pub kind: String,
    pub size: u64,
    pub modified_ms: i64,
    pub mode: u32,
}

/// `POST /workspaces/{workspace}/files`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub enum FileChange {
    Mkdir {
        path: String,
    },
    Delete {
        path: String,
        #[serde(default)]
        recursive: bool,
    },
    Rename {
        from: String,
        to: String,
        #[serde(default)]
        overwrite: bool,
    },
    Copy {
        from: String,
        to: String,
        #[serde(default)]
        overwrite: bool,
    },
}

/// Which workspaces.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WorkspaceQuery {
    /// `awake`, `asleep` or `recycled`; unless told, all but those in the recycle bin.
    #[param(value_type = Option<String>)]
    pub desired: Option<Desired>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}
