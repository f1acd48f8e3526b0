//! Workspaces without sandboxes: they start at once (or when the test says), tell what they do, and their attendant is a
//! socket of the test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::{Door, EnvironmentName};
use darter_core::{Clock, Fault, Millis, WorkspaceId};
use darter_platform::workspace::Residents;
use darter_platform::workspace::contract::{
    Observed, Signal, WorkspaceBundle, WorkspaceConnection, WorkspaceSource, WorkspaceState, WorkspaceStatus,
    Workspaces,
};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

type Handler = Arc<dyn Fn(Door, UnixStream) + Send + Sync>;

/// What was asked, and how to answer.
pub struct FakeWorkspaces {
    pub calls: Mutex<Vec<String>>,
    /// What starts are refused with.
    pub refuses: Mutex<Option<Fault>>,
    /// A start waits for a permit.
    pub start_gate: Semaphore,
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
            start_gate: Semaphore::new(Semaphore::MAX_PERMITS),
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

    /// What a start would begin from.
    pub async fn bundle(&self, id: &str) -> Result<WorkspaceBundle, Fault> {
        self.source.load(&id.parse().unwrap()).await
    }

    /// Changes what is seen of a workspace, and tells the platform.
    pub fn see(&self, id: &WorkspaceId, change: impl FnOnce(&mut WorkspaceStatus)) {
        let mut status = self.status(id);
        let before = status.seen.state;
        change(&mut status);
        if status.seen.state != before {
            status.seen.since = self.clock.now();
        }
        self.status.lock().unwrap().insert(id.clone(), status.clone());
        self.source.observed(id, status.seen);
    }

    fn becomes(&self, id: &WorkspaceId, state: WorkspaceState) {
        self.see(id, |status| status.seen.state = state);
    }
}

#[async_trait]
impl Workspaces for FakeWorkspaces {
    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<WorkspaceConnection, Fault> {
        self.note(format!("connect {door:?}"));
        if self.status(id).seen.state == WorkspaceState::Stopped {
            self.start(id).await?;
        }
        let (ours, theirs) = UnixStream::pair().map_err(Fault::internal)?;
        let handler = Arc::clone(&self.handler.lock().unwrap());
        handler(door, theirs);
        Ok(WorkspaceConnection { stream: ours, lease: Box::new(()), start: None })
    }

    async fn start(&self, id: &WorkspaceId) -> Result<StartPhases, Fault> {
        self.note("start");
        if let Some(fault) = self.refuses.lock().unwrap().clone() {
            return Err(fault);
        }
        self.source.load(id).await?;
        self.becomes(id, WorkspaceState::Starting);
        let _permit = self.start_gate.acquire().await.unwrap();
        let start = StartPhases { from: "pool".into(), phases: vec![("pool".into(), 300), ("home".into(), 900)] };
        self.see(id, |status| {
            status.seen.state = WorkspaceState::Running;
            status.seen.start = Some(start.clone());
        });
        Ok(start)
    }

    async fn stop(&self, id: &WorkspaceId) -> Result<(), Fault> {
        self.note("stop");
        if self.status(id).seen.state != WorkspaceState::Stopped {
            self.see(id, |status| *status = asleep());
        }
        Ok(())
    }

    fn status(&self, id: &WorkspaceId) -> WorkspaceStatus {
        self.status.lock().unwrap().get(id).cloned().unwrap_or_else(asleep)
    }

    fn touch(&self, _: &WorkspaceId, signal: Signal) {
        self.note(format!("touch {signal:?}"));
    }

    fn keep_until(&self, _: &WorkspaceId, until: Option<Millis>) {
        self.note(format!("keep until {until:?}"));
    }

    async fn copy_home(&self, _: &WorkspaceId, _: &WorkspaceId) -> Result<(), Fault> {
        self.note("copy home");
        Ok(())
    }

    async fn forget(&self, _: &WorkspaceId) -> Result<(), Fault> {
        self.note("forget");
        Ok(())
    }

    fn environment(&self, name: &EnvironmentName) -> bool {
        matches!(name.as_str(), "vscode" | "jupyter")
    }
}

fn asleep() -> WorkspaceStatus {
    let seen = Observed { state: WorkspaceState::Stopped, since: 0, trouble: None, start: None, rested: false };
    WorkspaceStatus { seen, queue: None, next: None, usage: None, ports: Vec::new() }
}
