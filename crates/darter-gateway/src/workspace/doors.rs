//! What the gateway needs to know of workspaces, and whom it asks. The platform fulfils it.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::Door;
use darter_core::{Fault, WorkspaceId};
use tokio::net::UnixStream;

/// What a host name means: a workspace, or one port of it. Cookies and tokens belong to a spot and open no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spot {
    pub id: WorkspaceId,
    pub port: Option<u16>,
}

/// A workspace as the gateway sees it.
#[derive(Clone)]
pub struct WorkspaceRoute {
    pub id: WorkspaceId,
    /// The label that its address should have (`<username>-<id>`). Any other decoration is corrected by a redirect.
    pub label: Arc<str>,
    pub front: Arc<dyn Front>,
}

/// What the gateway answers itself for an editor: its page and its files.
pub trait Front: Send + Sync + 'static {
    /// The page at this path, when it is one that the gateway renders. `None`: the editor's server answers.
    fn page(&self, ask: &PageAsk<'_>) -> Option<Page>;
    /// Where this path leads, when it is only a way to the page.
    fn leads(&self, _path: &str) -> Option<&str> {
        None
    }
    /// What the page seals its secrets with in the browser: the same for the workspace for ever, and nobody else's.
    fn seal(&self) -> Option<[u8; 32]> {
        None
    }
    /// A file of the environment that is the same for every tenant.
    fn file(&self, path: &str, accepted: Accepted) -> Option<StaticFile>;
    /// The shared host's folder for these files, `assets.<apps domain>/<digest>/…`.
    fn digest(&self) -> &str;
    /// `authorization` header that the editor's server wants from us, and from nobody else.
    fn credential(&self) -> Option<&str> {
        None
    }
    /// Is whatever a browser sends over a WebSocket at this path a person's doing?
    fn is_input(&self, _path: &str) -> bool {
        false
    }
    /// Do pages talk over a WebSocket at this path by themselves, and can that wait until somebody does something?
    fn can_wait(&self, _path: &str) -> bool {
        false
    }
    /// Messages over its WebSockets that are no longer than this only keep them alive, as long as they are not compressed.
    fn keep_alive(&self) -> Option<u64> {
        None
    }
}

/// What a page is rendered from.
#[derive(Debug)]
pub struct PageAsk<'a> {
    pub path: &'a str,
    pub query: &'a str,
    /// `name-id.apps.example:7070`
    pub authority: &'a str,
    pub https: bool,
    /// `http://assets.apps.example:7070/<digest>`
    pub assets: &'a str,
    /// The reader's language by `accept-language`, `en` or `zh-cn`.
    pub language: &'a str,
}

/// A page that the gateway rendered.
#[derive(Debug)]
pub struct Page {
    pub html: String,
    pub content_security_policy: String,
    /// Whether the page needs the editor's own server, which is woken while the browser loads.
    pub wakes: Option<Door>,
    /// Paths inside: when one of them exists, the page is not this one, and the editor's server answers.
    pub unless: Vec<String>,
}

/// Encodings that a client takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    pub brotli: bool,
    pub gzip: bool,
}

/// A file on disk in the encoding that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFile {
    pub path: PathBuf,
    pub content_type: &'static str,
    pub content_encoding: Option<&'static str>,
    /// Its address changes with its content.
    pub immutable: bool,
}

/// What lets somebody in: two cookies, and where to go then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Signed, valid for a minute: checked from memory.
    pub token: String,
    /// Random, long-lived: looked up. `None` leaves the one that is there.
    pub visit: Option<String>,
    /// Path and query on this host.
    pub to: String,
}

/// A stream of bytes into a sandbox. The workspace counts as in use until it is dropped.
pub struct Connection {
    pub stream: UnixStream,
    pub lease: Box<dyn Any + Send + Sync>,
    pub start: Option<StartPhases>,
}

/// What a person did, told apart from what a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A key, a click, a touch.
    Input,
    /// The page is shown, and nobody has touched it.
    Seen,
    /// An open page says something that wants an answer, whoever made it say so. It is answered, and that is all.
    Spoke,
}

/// Answers about workspaces. What is not `async` answers from memory.
#[async_trait]
pub trait Doors: Send + Sync + 'static {
    fn route(&self, id: &WorkspaceId) -> Option<Arc<WorkspaceRoute>>;
    /// The files of an installed environment, for the shared host.
    fn assets(&self, digest: &str) -> Option<Arc<dyn Front>>;
    /// May everybody reach this port?
    fn is_public(&self, id: &WorkspaceId, port: u16) -> bool;
    /// Does what listens there want TLS?
    fn wants_tls(&self, id: &WorkspaceId, port: u16) -> bool;
    /// Is this an unexpired token for this spot?
    fn is_valid(&self, spot: &Spot, token: &str) -> bool;
    /// A fresh token for the holder of this visit, if it still holds.
    async fn visit(&self, spot: &Spot, visit: &str) -> Result<Option<Entry>, Fault>;
    /// Trades a one-use code, or a share link's token, for entry.
    async fn redeem(&self, spot: &Spot, code: &str) -> Result<Entry, Fault>;
    /// Lets a program in that shows a personal access token of somebody who may.
    async fn by_access_token(&self, spot: &Spot, token: &str) -> Result<(), Fault>;
    /// The console's address that asks who somebody is and sends them back to `to` (a whole address of ours).
    fn enter(&self, to: &str) -> String;
    /// Starts or thaws it for this door; returns when that has begun.
    async fn wake(&self, id: &WorkspaceId, door: Door) -> Result<(), Fault>;
    /// Is there any of these paths inside? Wakes it.
    async fn has_any(&self, id: &WorkspaceId, paths: &[String]) -> Result<bool, Fault>;
    /// Connects to a door, which wakes it.
    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<Connection, Fault>;
    /// Somebody did something.
    fn touch(&self, id: &WorkspaceId, signal: Signal);
    /// What the workspace's own page may know of it, as JSON: state, what happens next, when, why.
    /// Is it frozen, with all that it has connected?
    fn rests(&self, _id: &WorkspaceId) -> bool {
        false
    }
    async fn status(&self, id: &WorkspaceId) -> Result<String, Fault>;
    /// Keeps it awake for so many minutes.
    async fn keep(&self, id: &WorkspaceId, minutes: u32) -> Result<String, Fault>;
}
