//! An engine without sandboxes: it writes down what it is asked, and answers drafts from a function of the test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::{AppId, Fault};
use darter_engine::{
    Engine, FunctionCode, InstallProgress, InstallRequest, InstanceState, InstanceStatus, LanguageServer, ProjectFile,
};
use darter_wire::testing::{Peer, PeerAnswer, PeerRequest};
use darter_wire::{Connection, Lease};
use tokio::sync::{Notify, Semaphore, mpsc};

type Handler = Arc<dyn Fn(PeerRequest, PeerAnswer) + Send + Sync>;

/// What was asked, and how to answer.
pub struct FakeEngine {
    pub calls: Mutex<Vec<String>>,
    pub environment: Mutex<BTreeMap<String, String>>,
    pub handler: Mutex<Handler>,
    pub refuses_publish: Mutex<bool>,
    /// Publishing waits for a permit.
    pub publish_gate: Semaphore,
    /// What runs, whatever the app.
    pub instances: Mutex<Vec<InstanceStatus>>,
    /// Stopping waits for a permit.
    pub stop_gate: Semaphore,
    /// A stop has begun.
    pub stop_asked: Notify,
    /// The other end of the newest install.
    pub install: Mutex<Option<mpsc::Sender<InstallProgress>>>,
    pub requests: Mutex<Vec<InstallRequest>>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            environment: Mutex::default(),
            handler: Mutex::new(Arc::new(|_, answer| answer.respond(200, &[], "ok"))),
            refuses_publish: Mutex::new(false),
            publish_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            instances: Mutex::default(),
            stop_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            stop_asked: Notify::new(),
            install: Mutex::default(),
            requests: Mutex::default(),
        }
    }
}

fn instance() -> InstanceStatus {
    InstanceStatus {
        id: "1".into(),
        state: InstanceState::Idle,
        since: 0,
        next: None,
        in_flight: 0,
        requests_total: 1,
        memory_bytes: 1,
        memory_peak_bytes: 1,
        cpu_usec: 1,
    }
}

impl FakeEngine {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    pub fn answers(&self, handler: impl Fn(PeerRequest, PeerAnswer) + Send + Sync + 'static) {
        *self.handler.lock().unwrap() = Arc::new(handler);
    }

    fn lease(&self) -> Lease {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let handler = Arc::clone(&self.handler.lock().unwrap());
        let peer = Peer::start(theirs, move |request, answer| {
            handler(request, answer);
            std::future::ready(())
        });
        let start = StartPhases { from: "pool".into(), phases: vec![("pool".into(), 300), ("load".into(), 900)] };
        Lease { connection: Connection::start(ours), start: Some(start), guard: Box::new(peer) }
    }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn acquire(&self, app: &AppId) -> Result<Lease, Fault> {
        self.note(format!("acquire {app}"));
        Ok(self.lease())
    }

    async fn publish(&self, _app: &AppId, function: FunctionCode) -> Result<(), Fault> {
        let _permit = self.publish_gate.acquire().await.unwrap();
        self.note(format!("publish {}@{}", function.name, function.version));
        if *self.refuses_publish.lock().unwrap() {
            return Err(Fault::internal("the instance is stuck"));
        }
        Ok(())
    }

    async fn remove(&self, _app: &AppId, name: &str) -> Result<(), Fault> {
        self.note(format!("remove {name}"));
        Ok(())
    }

    async fn environment(&self, _app: &AppId, environment: BTreeMap<String, String>) -> Result<(), Fault> {
        self.note("environment");
        *self.environment.lock().unwrap() = environment;
        Ok(())
    }

    async fn draft(&self, _app: &AppId, _id: &str, function: FunctionCode) -> Result<Lease, Fault> {
        self.note(format!("draft {}@{}", function.name, function.version));
        Ok(self.lease())
    }

    async fn pinned(&self, _app: &AppId, function: FunctionCode) -> Result<Lease, Fault> {
        self.note(format!("pinned {}@{}", function.name, function.version));
        Ok(self.lease())
    }

    fn warm(&self, app: &AppId) {
        self.note(format!("warm {app}"));
    }

    async fn stop(&self, _app: &AppId) {
        self.note("stop");
        let draining = InstanceStatus { state: InstanceState::Stopping, ..instance() };
        *self.instances.lock().unwrap() = vec![draining];
        self.stop_asked.notify_one();
        let _permit = self.stop_gate.acquire().await.unwrap();
        self.instances.lock().unwrap().clear();
    }

    async fn restart(&self, _app: &AppId) {
        self.note("restart");
    }

    fn status(&self, _app: &AppId) -> Vec<InstanceStatus> {
        self.instances.lock().unwrap().clone()
    }

    async fn install(&self, request: InstallRequest) -> Result<mpsc::Receiver<InstallProgress>, Fault> {
        let (sender, receiver) = mpsc::channel(16);
        self.requests.lock().unwrap().push(request);
        *self.install.lock().unwrap() = Some(sender);
        Ok(receiver)
    }

    async fn language_server(
        &self,
        _app: &AppId,
        files: Vec<ProjectFile>,
        _dependencies: Option<String>,
    ) -> Result<LanguageServer, Fault> {
        self.note(format!(
            "language server over {}",
            files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(" ")
        ));
        // What is written comes back: the frames are the same in both directions.
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (stdout, stdin) = tokio::io::split(ours);
        let (mut from, mut to) = tokio::io::split(theirs);
        tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
        Ok(LanguageServer { stdin: Box::new(stdin), stdout: Box::new(stdout), guard: Box::new(()) })
    }

    async fn forget(&self, _app: &AppId) {
        self.note("forget");
    }

    async fn shutdown(&self, _grace_ms: u64) {}
}
