//! A whole engine in a test: real sandboxes, a real node, a source of apps that the test fills.
//!
//! The runtime is installed once per machine into `$DARTER_CACHE` (or `~/.cache/darter`); everything else is the test's own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part, and ends where something is not as expected"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use darter_core::limits::AppLimits;
use darter_core::record::{LogRecord, LogSource};
use darter_core::{AppId, Fault, SystemClock, SystemRandom};
use darter_engine::{AppBundle, AppSource, Engine, EngineConfig, FunctionCode, InstanceState, LocalEngine};
use darter_sandbox::{Launcher, LauncherConfig, Owner};
use darter_wire::{Lease, RequestHead, WireError};
use tokio::sync::Notify;

const OWNER: Owner = Owner { uid: 65_534, gid: 65_534 };

/// The platform's side.
#[derive(Default)]
pub struct Apps {
    bundles: Mutex<BTreeMap<AppId, AppBundle>>,
    logs: Mutex<Vec<LogRecord>>,
    logged: Notify,
}

#[async_trait]
impl AppSource for Apps {
    async fn load(&self, app: &AppId) -> Result<AppBundle, Fault> {
        let found = self.bundles.lock().unwrap().get(app).cloned();
        found.ok_or_else(|| Fault::not_found("app.not_found", "There is no such app."))
    }

    fn log(&self, record: LogRecord) {
        self.logs.lock().unwrap().push(record);
        self.logged.notify_waiters();
    }
}

impl Apps {
    /// Resolves when a line of the platform's that contains `part` is in the app's log.
    pub async fn told(&self, app: &AppId, part: &str) -> LogRecord {
        self.logged_by(app, LogSource::Platform, part).await
    }

    pub async fn logged_by(&self, app: &AppId, source: LogSource, part: &str) -> LogRecord {
        loop {
            let logged = self.logged.notified();
            tokio::pin!(logged);
            logged.as_mut().enable();
            let matches =
                |record: &&LogRecord| record.app == *app && record.source == source && record.message.contains(part);
            if let Some(record) = self.logs.lock().unwrap().iter().find(matches) {
                return record.clone();
            }
            logged.await;
        }
    }
}

pub struct World {
    pub engine: Arc<LocalEngine>,
    pub apps: Arc<Apps>,
    pub launcher: darter_sandbox::LauncherClient,
}

/// A function that answers with what the expression gives.
pub fn function(name: &str, version: u32, body: &str) -> FunctionCode {
    FunctionCode {
        name: name.into(),
        version,
        code: format!(
            "Object.defineProperty(__exports, 'default', {{ enumerable: true, get: () => main }});\nasync function main(ctx) {{ {body} }}"
        ),
        map: None,
        methods: vec!["GET".into(), "POST".into()],
        imports: Vec::new(),
    }
}

impl World {
    /// Registers an app with these functions.
    pub fn app(&self, limits: AppLimits, functions: &[(&str, &str)]) -> AppId {
        let id = AppId::generate(&SystemRandom);
        let functions = functions.iter().map(|(name, body)| function(name, 1, body)).collect();
        let bundle = AppBundle {
            app: id.clone(),
            environment: BTreeMap::new(),
            secret: "secret".into(),
            functions,
            dependencies: None,
            limits: Arc::new(limits),
        };
        self.apps.bundles.lock().unwrap().insert(id.clone(), bundle);
        id
    }

    pub fn change(&self, app: &AppId, change: impl FnOnce(&mut AppBundle)) {
        change(self.apps.bundles.lock().unwrap().get_mut(app).unwrap());
    }

    /// The answer of a function: its status and text.
    pub async fn call(&self, app: &AppId, target: &str) -> (u16, String) {
        let lease = self.engine.acquire(app).await.unwrap();
        call_on(&lease, target, "").await.unwrap()
    }

    /// Resolves when the app's instances stand like this. The engine tells nobody about a step on the ladder: a request
    /// takes two of them, and telling would cost every request what only a test would hear. So this looks again.
    pub async fn stands(&self, app: &AppId, states: &[InstanceState]) {
        loop {
            let now: Vec<InstanceState> = self.engine.status(app).iter().map(|status| status.state).collect();
            if now == states {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub async fn call_on(lease: &Lease, target: &str, pin: &str) -> Result<(u16, String), WireError> {
    let headers = http::HeaderMap::new();
    let head = RequestHead {
        method: "GET",
        target,
        request_id: "req_1",
        client_ip: "192.0.2.1",
        deadline_ms: 0,
        pin,
        headers: &headers,
    };
    let response = lease.connection.request(&head, bytes::Bytes::new()).await?;
    let status = response.status.as_u16();
    let body = response.body.collect(1 << 20).await?.unwrap();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/darter");
    std::env::var_os("DARTER_CACHE").map_or_else(home, PathBuf::from).join("engine")
}

/// Where packages come from: as the local npm client is configured, or as the test's environment says.
fn registry() -> String {
    let given = std::env::var("DARTER_NPM_REGISTRY").or_else(|_| std::env::var("npm_config_registry")).ok();
    let rc = || {
        let text = std::fs::read_to_string(PathBuf::from(std::env::var_os("HOME")?).join(".npmrc")).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix("registry=")?.trim().to_owned()))
    };
    given.or_else(rc).unwrap_or_else(|| ["https://registry", "npmjs", "org"].join("."))
}

/// Runs a test in a world of its own. Must be the first line of a test: it forks.
pub fn world<F: Future<Output = ()>>(change: impl FnOnce(&mut EngineConfig), test: impl FnOnce(Arc<World>) -> F) {
    let base = cache();
    for name in ["runtimes", "downloads", "tests"] {
        std::fs::create_dir_all(base.join(name)).unwrap();
    }
    let base = base.canonicalize().unwrap();
    let data = tempfile::tempdir_in(base.join("tests")).unwrap();
    let mut config = EngineConfig::for_data_dir(data.path(), &registry());
    config.runtimes = Some(base.join("runtimes"));
    config.downloads = Some(base.join("downloads"));
    config.certificates = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    if rustix::process::geteuid().is_root() {
        config.files_owner = Some((OWNER.uid, OWNER.gid));
    }
    config.pool.size = 1;
    change(&mut config);
    let mut walls = LauncherConfig::for_data_dir(data.path(), OWNER);
    walls.readable.push(base.join("runtimes"));
    // The attendant of workspaces is built as an example, beside the tests.
    let this = std::env::current_exe().unwrap().canonicalize().unwrap();
    walls.readable.push(this.parent().unwrap().parent().unwrap().join("examples/attendant"));
    walls.uid_base = 800_000_000 + std::process::id() % 1_000_000 * 1_000;
    walls.slots = 64;
    let launcher = Launcher::fork_in_test(walls).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        // Only the first to come decides; all would decide the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let launcher = launcher.connect().await.unwrap();
        let apps = Arc::new(Apps::default());
        // One test process installs, the others wait for it.
        let lock = std::fs::File::create(base.join("tests/lock")).unwrap();
        lock.lock().unwrap();
        let progress = Arc::new(|step| eprintln!("{step:?}"));
        let engine = LocalEngine::start(config, launcher.clone(), apps.clone(), Arc::new(SystemClock), progress).await;
        drop(lock);
        let world = Arc::new(World { engine: engine.unwrap_or_else(|fault| panic!("{fault}")), apps, launcher });
        test(Arc::clone(&world)).await;
        world.engine.shutdown(2_000).await;
    });
    drop(runtime);
    drop(data);
}
