//! The engine of this machine: sandboxes by the launcher, a pool of runtimes, and one clock for all that run.
//!
//! Holds nothing for an app at rest. A hot [`acquire`](crate::Engine::acquire) is a look into a sharded map and a few
//! atomic operations.

mod app;
pub mod certificates;
mod control;
mod dependencies;
mod engine;
pub(crate) mod hostile;
mod instance;
pub(crate) mod job;
mod language;
pub(crate) mod layout;
pub(crate) mod output;
mod pool;
mod quota;
pub(crate) mod runtime;
pub(crate) mod slot;
mod start;
mod tick;

use std::sync::Arc;
use std::time::Duration;

use darter_core::record::{Level, LogRecord, LogSource};
use darter_core::{AppId, Clock, Fault};
use darter_sandbox::LauncherClient;
use darter_wire::Lease;
use dashmap::DashMap;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use runtime::{Parts, Runtime};
pub use runtime::{Progress, Step};

use crate::config::EngineConfig;
use crate::contract::AppSource;
use crate::egress;
use crate::environment::{Catalogue, Environments, Tools};
use crate::run::{Languages, LocalRuns};
use app::{App, Next};
use instance::Instance;
use layout::Layout;
use pool::Pool;

/// Longest wait for a place when the app's limits are not known yet.
const PATIENCE: Duration = Duration::from_secs(60);

/// Places instances on this machine.
pub struct LocalEngine {
    shared: Arc<Shared>,
}

/// What all parts of the engine share.
pub(crate) struct Shared {
    config: EngineConfig,
    layout: Layout,
    launcher: LauncherClient,
    runtime: Runtime,
    pool: Arc<Pool>,
    source: Arc<dyn AppSource>,
    clock: Arc<dyn Clock>,
    policy: Arc<egress::Policy>,
    /// For installs: the registry may be anywhere.
    install_policy: Arc<egress::Policy>,
    apps: DashMap<AppId, Arc<App>>,
    meters: DashMap<AppId, Arc<egress::Meter>>,
    installs: Arc<Semaphore>,
    languages: Arc<Semaphore>,
    environments: Arc<Catalogue>,
    runs: Arc<LocalRuns>,
    /// Something runs again: the clock may tick.
    alive: Notify,
    closing: CancellationToken,
}

impl LocalEngine {
    /// Prepares the data directory, installs the runtime when it is missing, and begins to fill the pool.
    /// `progress` hears what the first start does. The fault is in words for the operator.
    pub async fn start(
        config: EngineConfig,
        launcher: LauncherClient,
        source: Arc<dyn AppSource>,
        clock: Arc<dyn Clock>,
        progress: Progress,
    ) -> Result<Arc<Self>, Fault> {
        config.validate().map_err(|error| Fault::invalid("config.invalid", error.to_string()))?;
        let parts = Parts::shipped().map_err(Fault::internal)?;
        Self::start_with(config, launcher, (source, clock), (parts, progress)).await
    }

    async fn start_with(
        config: EngineConfig,
        launcher: LauncherClient,
        (source, clock): (Arc<dyn AppSource>, Arc<dyn Clock>),
        (parts, progress): (Parts, Progress),
    ) -> Result<Arc<Self>, Fault> {
        let failed = |why: String| Fault::new(darter_core::Kind::Unavailable, "engine.start_failed", why);
        let layout = Layout::prepare(&config)
            .map_err(|error| failed(format!("preparing the data directory failed: {error}")))?;
        certificates::compose(&config).map_err(failed)?;
        let install_policy = Arc::new(install_policy(&config));
        let meter = Arc::new(egress::Meter::new(1_024, 1 << 40, 1 << 40));
        let wait = Duration::from_millis(config.egress.connect_timeout_ms);
        let proxy = egress::Proxy::new(Arc::clone(&install_policy), meter, wait, Duration::from_secs(120));
        let installer = runtime::Installer {
            config: &config,
            layout: &layout,
            launcher: &launcher,
            proxy: proxy.clone(),
            progress,
        };
        let runtime = installer.install(&parts).await.map_err(failed)?;
        let tools = Tools {
            config: config.clone(),
            layout: layout.clone(),
            launcher: launcher.clone(),
            runtime_binds: runtime.binds(),
            proxy,
        };
        let environments = Catalogue::open(tools, Arc::clone(&clock))
            .map_err(|error| failed(format!("reading the installed environments failed: {error}")))?;
        let languages = Languages::load(&config.data.join("languages"));
        let runs = LocalRuns::new(&config.runs, launcher.clone(), languages, runtime.binds());
        let builder = slot::Builder { launcher: launcher.clone(), runtime: runtime.clone(), run: layout.run.clone() };
        let shared = Arc::new(Shared {
            pool: Pool::start(builder, config.pool.clone()),
            policy: Arc::new(egress::Policy::new(config.egress.clone())),
            install_policy,
            apps: DashMap::new(),
            meters: DashMap::new(),
            installs: Arc::new(Semaphore::new(config.install.concurrent)),
            languages: Arc::new(Semaphore::new(config.language.concurrent)),
            alive: Notify::new(),
            closing: CancellationToken::new(),
            environments,
            runs: Arc::new(runs),
            config,
            layout,
            launcher,
            runtime,
            source,
            clock,
        });
        tokio::spawn(Arc::clone(&shared).tick());
        for name in &shared.config.environments.at_start {
            if let Err(fault) = Arc::clone(&shared.environments).install(name) {
                tracing::warn!(%name, %fault, "an environment of engine.environments cannot be installed");
            }
        }
        Ok(Arc::new(Self { shared }))
    }

    /// The stacks of software that workspaces start from.
    pub fn environments(&self) -> &Arc<Catalogue> {
        &self.shared.environments
    }

    /// What runs snippets.
    pub fn runs(&self) -> &Arc<LocalRuns> {
        &self.shared.runs
    }

    /// Resolves when the pool of waiting runtimes is full.
    pub async fn pool_full(&self) {
        self.shared.pool.full().await;
    }

    /// Runtimes that wait, apps that hold anything at all: for metrics.
    pub fn figures(&self) -> (usize, usize) {
        (self.shared.pool.ready(), self.shared.apps.len())
    }

    /// Bytes that an app has sent and received through the egress proxy since the server started.
    pub fn egress_bytes(&self, app: &AppId) -> (u64, u64) {
        self.shared.meters.get(app).map_or((0, 0), |meter| meter.bytes())
    }
}

/// Apps' policy, without their lists of hosts, and with the registries wherever they are.
fn install_policy(config: &EngineConfig) -> egress::Policy {
    let open = crate::config::EgressConfig { allow_hosts: Vec::new(), ..config.egress.clone() };
    let hosts = [&config.npm_registry, &config.pypi_index].into_iter().filter_map(|address| {
        let url = url::Url::parse(address).ok()?;
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
    });
    let more = config.registry_hosts.iter().map(|host| (host.clone(), 443));
    hosts.chain(more).fold(egress::Policy::new(open), |policy, (host, port)| policy.trusting(&host, port))
}

impl Shared {
    fn app(&self, id: &AppId) -> Arc<App> {
        if let Some(app) = self.apps.get(id) {
            return Arc::clone(&app);
        }
        Arc::clone(&self.apps.entry(id.clone()).or_insert_with(|| App::new(id.clone())))
    }

    fn running(&self, id: &AppId) -> Option<Arc<App>> {
        self.apps.get(id).map(|app| Arc::clone(&app))
    }

    /// A place, at once if an instance has one.
    async fn acquire(self: &Arc<Self>, id: &AppId) -> Result<Lease, Fault> {
        let hot = self.apps.get(id).and_then(|app| app.try_lease());
        match hot {
            Some(lease) => Ok(lease),
            None => self.acquire_slowly(id).await,
        }
    }

    async fn acquire_slowly(self: &Arc<Self>, id: &AppId) -> Result<Lease, Fault> {
        let mut queued = None;
        let mut app = self.app(id);
        let mut since = app.state().attempts;
        let mut began = false;
        loop {
            let current = Arc::clone(&app);
            let room = current.room();
            tokio::pin!(room);
            room.as_mut().enable();
            match app.next(&mut queued, since) {
                Next::Lease(mut lease) => {
                    // An instance that has loaded before we looked again was started for us all the same.
                    if began && lease.start.is_none() {
                        lease.start = app.instances().last().map(|instance| instance.phases.clone());
                    }
                    return Ok(lease);
                }
                Next::Fail(fault) => {
                    drop(queued);
                    self.retire_if_at_rest(&app);
                    return Err(fault);
                }
                Next::Retired => {
                    queued = None;
                    app = self.app(id);
                    since = app.state().attempts;
                    continue;
                }
                Next::Start => {
                    began = true;
                    self.begin_start(&app);
                }
                Next::Wait => {}
            }
            let patience =
                app.state().limits.as_ref().map_or(PATIENCE, |limits| Duration::from_millis(limits.total_timeout_ms));
            if tokio::time::timeout(patience, room).await.is_err() {
                let limits = app.state().limits.clone().unwrap_or_default();
                return Err(app::overloaded(&limits));
            }
        }
    }

    /// Forgets an app of which nothing is left.
    fn retire_if_at_rest(&self, app: &Arc<App>) {
        let mut state = app.state();
        if app.is_at_rest(&state) && !state.retired {
            state.retired = true;
            drop(state);
            self.apps.remove_if(&app.id, |_, listed| Arc::ptr_eq(listed, app));
        }
    }

    /// An instance has ended; who waits gets another one.
    fn bury(self: &Arc<Self>, instance: &Arc<Instance>, unexpected: bool) {
        let app = &instance.app;
        app.take_out(instance);
        let start = {
            let mut state = app.state();
            if unexpected {
                state.crashed(instance.born.elapsed());
            }
            let start =
                app.is_awaited() && state.starting == 0 && app.instances().is_empty() && state.pause().is_none();
            state.starting += u32::from(start);
            start
        };
        if start {
            self.begin_start(app);
        }
        app.wake_all();
        self.retire_if_at_rest(app);
    }

    /// A line in an app's log, from the platform.
    fn tell(&self, app: &AppId, level: Level, message: String) {
        self.source.log(LogRecord {
            time: self.clock.now(),
            app: app.clone(),
            source: LogSource::Platform,
            level,
            function: String::new(),
            version: 0,
            request_id: String::new(),
            message,
        });
    }
}
