//! Workspaces without sandboxes: they start at once (or when the test says), tell what they do, and their attendant is a
//! socket of the test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Door, EnvironmentName};
use darter_core::{Clock, Fault, Kind, Millis, WorkspaceId};
use darter_engine::environment::{self, EditorKind, Environments, InstalledEnvironment, Listed};
use darter_engine::workspace::{
    Signal, SnapshotIndex, SnapshotStream, WorkspaceBundle, WorkspaceConnection, WorkspaceLease, WorkspaceSource,
    WorkspaceStatus, Workspaces,
};
use darter_platform::workspace::{Residents, at_rest};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

type Attending = dyn Fn(&str, &[u8]) -> (u16, Vec<u8>) + Send + Sync;
type Handler = Arc<dyn Fn(Door, UnixStream) + Send + Sync>;

/// What was asked, and how to answer.
pub struct FakeWorkspaces {
    pub calls: Mutex<Vec<String>>,
    /// What starts are refused with.
    pub refuses: Mutex<Option<Fault>>,
    /// What copies of homes are refused with.
    pub copy_fault: Mutex<Option<Fault>>,
    /// A start waits for a permit.
    pub start_gate: Semaphore,
    /// And so does a home that is read, or put in the place of another.
    pub home_gate: Semaphore,
    /// What an export gives, as the attendant writes it, and what was imported last.
    pub home: Mutex<Vec<u8>>,
    /// Serves connections to doors.
    handler: Mutex<Handler>,
    status: Mutex<BTreeMap<WorkspaceId, WorkspaceStatus>>,
    source: Arc<Residents>,
    clock: Arc<dyn Clock>,
}

impl FakeWorkspaces {
    pub fn new(source: Arc<Residents>, clock: Arc<dyn Clock>) -> Self {
        Self {
            calls: Mutex::default(),
            refuses: Mutex::default(),
            copy_fault: Mutex::default(),
            start_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            home_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            home: Mutex::default(),
            handler: Mutex::new(Arc::new(|_, _| ())),
            status: Mutex::default(),
            source,
            clock,
        }
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Who answers at the other end of a connection.
    pub fn answers(&self, handler: impl Fn(Door, UnixStream) + Send + Sync + 'static) {
        *self.handler.lock().unwrap() = Arc::new(handler);
    }

    /// The attendant answers each request with what `answer` makes of its head and body, and takes every WebSocket.
    pub fn attends(&self, answer: impl Fn(&str, &[u8]) -> (u16, Vec<u8>) + Send + Sync + 'static) {
        let answer = Arc::new(answer);
        self.answers(move |_, stream| {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move { attend(stream, &*answer).await });
        });
    }

    /// What a start would begin from.
    pub async fn bundle(&self, id: &str) -> Result<WorkspaceBundle, Fault> {
        self.source.load(&id.parse().unwrap()).await
    }

    /// Somebody opens it while it is at rest.
    pub fn opened(&self, id: &WorkspaceId) {
        self.source.opened(id);
    }

    /// Changes what is seen of a workspace, and tells the platform.
    pub fn see(&self, id: &WorkspaceId, change: impl FnOnce(&mut WorkspaceStatus)) {
        let mut status = self.status(id);
        let before = status.observed.state;
        change(&mut status);
        if status.observed.state != before {
            status.observed.since = self.clock.now();
        }
        self.status.lock().unwrap().insert(id.clone(), status.clone());
        self.source.observed(id, status.observed);
    }
}

#[async_trait]
impl Workspaces for FakeWorkspaces {
    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<WorkspaceConnection, Fault> {
        self.note(format!("connect {door:?}"));
        if self.status(id).observed.state == State::Stopped {
            self.start(id).await?;
        }
        let (ours, theirs) = UnixStream::pair().map_err(Fault::internal)?;
        let handler = Arc::clone(&self.handler.lock().unwrap());
        handler(door, theirs);
        Ok(WorkspaceConnection { stream: ours, lease: WorkspaceLease(Box::new(())), start: None })
    }

    async fn start(&self, id: &WorkspaceId) -> Result<StartPhases, Fault> {
        self.note("start");
        if let Some(fault) = self.refuses.lock().unwrap().clone() {
            return Err(fault);
        }
        if self.status(id).observed.state == State::Stopped {
            self.source.opened(id);
        }
        self.source.load(id).await?;
        self.see(id, |status| (status.observed.state, status.observed.rested) = (State::Starting, false));
        let _permit = self.start_gate.acquire().await.unwrap();
        if self.status(id).observed.state != State::Starting {
            let why = "The workspace was stopped while it was starting. Try again.";
            return Err(Fault::new(Kind::Unavailable, "workspace.stopped", why));
        }
        let start = StartPhases { from: "pool".into(), phases: vec![("pool".into(), 300), ("home".into(), 900)] };
        self.see(id, |status| {
            status.observed.state = State::Running;
            status.observed.start = Some(start.clone());
        });
        Ok(start)
    }

    async fn stop(&self, id: &WorkspaceId) -> Result<(), Fault> {
        self.note("stop");
        if self.status(id).observed.state != State::Stopped {
            self.see(id, |status| *status = at_rest());
        }
        Ok(())
    }

    fn status(&self, id: &WorkspaceId) -> WorkspaceStatus {
        self.status.lock().unwrap().get(id).cloned().unwrap_or_else(at_rest)
    }

    fn touch(&self, _: &WorkspaceId, signal: Signal) {
        self.note(format!("touch {signal:?}"));
    }

    fn keep_until(&self, _: &WorkspaceId, until: Option<Millis>) {
        self.note(format!("keep until {until:?}"));
    }

    async fn refresh(&self, _: &WorkspaceId) -> Result<(), Fault> {
        self.note("refresh");
        Ok(())
    }

    async fn export(&self, _: &WorkspaceId, since: Option<SnapshotIndex>) -> Result<SnapshotStream, Fault> {
        let known = since.map(|known| String::from_utf8(known).unwrap()).unwrap_or_default();
        self.note(format!("export {known}"));
        let _permit = self.home_gate.acquire().await.unwrap();
        let home = self.home.lock().unwrap().clone();
        let home = if home.is_empty() { b"{\"end\":true,\"files\":0,\"bytes\":0}\n".to_vec() } else { home };
        Ok(SnapshotStream { bytes: Box::pin(std::io::Cursor::new(home)), lease: None })
    }

    async fn replace(&self, id: &WorkspaceId, files: SnapshotStream) -> Result<(), Fault> {
        self.note("replace");
        self.source.load(id).await?;
        let _permit = self.home_gate.acquire().await.unwrap();
        self.stop(id).await?;
        self.import(id, files).await
    }

    async fn import(&self, _: &WorkspaceId, mut files: SnapshotStream) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        files.bytes.read_to_end(&mut bytes).await.map_err(Fault::internal)?;
        self.note(format!("import {}", bytes.len()));
        *self.home.lock().unwrap() = bytes;
        Ok(())
    }

    async fn copy_home(&self, _: &WorkspaceId, _: &WorkspaceId) -> Result<(), Fault> {
        self.note("copy home");
        match self.copy_fault.lock().unwrap().clone() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    async fn forget(&self, _: &WorkspaceId) -> Result<(), Fault> {
        self.note("forget");
        Ok(())
    }

    async fn shutdown(&self, _: u64) {}
}

#[async_trait]
impl Environments for FakeWorkspaces {
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault> {
        let kind = match name.as_str() {
            "vscode" => EditorKind::Vscode,
            "jupyter" => EditorKind::Jupyter,
            _ => return Err(Fault::not_found("environment.not_found", "There is no such environment.")),
        };
        Ok(Arc::new(InstalledEnvironment {
            name: name.clone(),
            digest: "d".repeat(64),
            root: "/nothing".into(),
            system: None,
            kind,
            argv: Vec::new(),
            env: Vec::new(),
            descriptor: None,
            ready: None,
            warm: false,
            language_servers: BTreeMap::new(),
            memory_hint: 0,
        }))
    }

    fn list(&self) -> Vec<Listed> {
        let words = |name: &str| environment::Words { title: name.into(), description: format!("{name}, in a test") };
        let listed = |name: &str| Listed {
            name: name.parse().unwrap(),
            words: words(name),
            translations: BTreeMap::new(),
            extends: None,
            image: None,
            shipped: true,
            light: name == "vscode",
            memory: environment::Memory::default(),
            state: environment::State::Installed { digest: "d".repeat(32), bytes: 1 << 20, files: 2, outdated: false },
        };
        ["jupyter", "vscode"].map(listed).into()
    }

    fn unread(&self) -> Vec<environment::Unread> {
        ["Bad Name", "vscode"]
            .map(|folder| environment::Unread { folder: folder.into(), why: "title is missing".into() })
            .into()
    }

    fn ready(&self) -> Vec<Arc<InstalledEnvironment>> {
        Vec::new()
    }
}

/// Serves one request. What a WebSocket sends comes back.
async fn attend(mut stream: UnixStream, answer: &Attending) {
    let mut bytes = Vec::new();
    let head_end = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    while head_end(&bytes).is_none() {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let end = head_end(&bytes).unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if head.contains("upgrade: websocket") {
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap_or_default();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
        let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                return;
            }
        }
        return;
    }
    // The client ends what it sends with the last chunk.
    let chunked = head.contains("transfer-encoding: chunked");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    while (chunked && !bytes.ends_with(b"0\r\n\r\n")) || length.is_some_and(|length| bytes.len() < end + length) {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let (status, body) = answer(&head, &bytes[end..]);
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
}
