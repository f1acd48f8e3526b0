//! Workspaces on this machine: sandboxes by the launcher, homes as volumes, a pool of started sandboxes, and for each
//! workspace that lives a supervisor.
//!
//! A sandbox serves one workspace and is then gone, a home is mounted once at a time, and nothing here reads what a tenant
//! wrote.

mod act;
mod attendant;
mod connect;
mod doors;
mod end;
mod engine;
mod home;
mod pool;
mod replace;
mod shell;
mod snapshot;
mod start;
mod supervise;
mod unit;
mod words;
mod workspace;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use darter_core::{Clock, Fault, Kind, Millis, WorkspaceId};
use darter_sandbox::LauncherClient;
use dashmap::DashMap;
use tokio_util::sync::CancellationToken;

pub use unit::AttendantProgram;
pub(crate) use unit::PROGRAM;

use super::{WorkspaceSource, WorkspacesConfig};
use crate::config::EgressConfig;
use crate::egress;
use crate::environment::Environments;
use crate::turns::Turns;
use doors::Hall;
use home::Homes;
use pool::Pool;
use workspace::Workspace;

/// What workspaces on this machine are made from.
pub struct Setup {
    /// `<data>/workspaces`: homes and sockets. Writable for the launcher.
    pub folder: PathBuf,
    pub config: WorkspacesConfig,
    pub egress: EgressConfig,
    pub launcher: LauncherClient,
    pub attendant: AttendantProgram,
    pub source: Arc<dyn WorkspaceSource>,
    pub environments: Arc<dyn Environments>,
    pub clock: Arc<dyn Clock>,
    /// Owner of homes that are folders, and of images while they are grown. Only set when the server runs as root (tests).
    pub files_owner: Option<(u32, u32)>,
}

/// Runs workspaces on this machine.
pub struct LocalWorkspaces {
    shared: Arc<Shared>,
}

/// What all parts share.
struct Shared {
    config: WorkspacesConfig,
    egress: EgressConfig,
    launcher: LauncherClient,
    source: Arc<dyn WorkspaceSource>,
    environments: Arc<dyn Environments>,
    clock: Arc<dyn Clock>,
    policy: Arc<egress::Policy>,
    homes: Arc<Homes>,
    pool: Arc<Pool>,
    starts: Arc<Turns>,
    workspaces: DashMap<WorkspaceId, Arc<Workspace>>,
    meters: DashMap<WorkspaceId, Arc<egress::Meter>>,
    closing: CancellationToken,
}

impl LocalWorkspaces {
    /// Prepares the folder and begins to fill the pool. Must be called inside a tokio runtime.
    pub fn start(setup: Setup) -> Result<Arc<Self>, Fault> {
        setup.config.validate().map_err(|error| Fault::invalid("config.invalid", error.to_string()))?;
        let failed = |error: std::io::Error| {
            let why = format!("preparing {} failed: {error}", setup.folder.display());
            Fault::new(Kind::Unavailable, "engine.start_failed", why)
        };
        let volumes = setup.launcher.abilities().privileged && darter_sandbox::volume::tools().is_ok();
        let homes = Homes::open(setup.folder.clone(), volumes, setup.files_owner).map_err(failed)?;
        let hall = Hall::open(&setup.folder.join(".run")).map_err(failed)?;
        let builder = unit::Builder {
            launcher: setup.launcher.clone(),
            hall,
            program: setup.attendant,
            tmp_bytes: setup.config.tmp_bytes,
            homes: Arc::clone(&homes),
        };
        let environments = setup.environments;
        let starts = Turns::new(setup.config.starts, setup.config.queue);
        let shared = Arc::new(Shared {
            pool: Pool::start(builder, Arc::clone(&environments), Arc::clone(&starts), setup.config.pool.clone()),
            starts,
            policy: Arc::new(egress::Policy::new(setup.egress.clone())),
            config: setup.config,
            egress: setup.egress,
            launcher: setup.launcher,
            source: setup.source,
            environments,
            clock: setup.clock,
            homes: Arc::clone(&homes),
            workspaces: DashMap::new(),
            meters: DashMap::new(),
            closing: CancellationToken::new(),
        });
        let usual = darter_core::workspace::WorkspaceLimits::default().disk_bytes;
        tokio::task::spawn_blocking(move || homes.stock_up(usual));
        Ok(Arc::new(Self { shared }))
    }

    /// Resolves when the pool has all that it wants.
    pub async fn pool_full(&self) {
        self.shared.pool.full().await;
    }

    /// Units that wait, workspaces of which something runs: for metrics.
    pub fn figures(&self) -> (usize, usize) {
        let live = |workspace: &Arc<Workspace>| workspace.lock().life.state.is_live();
        (self.shared.pool.ready(), self.shared.workspaces.iter().filter(|entry| live(entry.value())).count())
    }

    /// What a home takes on the host's disk, bytes.
    pub fn bytes_on_disk(&self, id: &WorkspaceId) -> u64 {
        self.shared.homes.bytes_on_disk(id)
    }

    /// The disk limit is a wall here, not a wish.
    pub fn homes_are_volumes(&self) -> bool {
        self.shared.homes.volumes
    }
}

impl Shared {
    fn workspace(&self, id: &WorkspaceId) -> Arc<Workspace> {
        if let Some(found) = self.workspaces.get(id) {
            return Arc::clone(&found);
        }
        let new = || Workspace::new(id.clone(), self.now());
        Arc::clone(&self.workspaces.entry(id.clone()).or_insert_with(new))
    }

    fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Tells the platform what is seen now; nobody wanted what is up for an errand only.
    fn tell(&self, workspace: &Workspace, inner: &workspace::Inner) {
        if !inner.errand {
            self.source.observed(&workspace.id, inner.observed());
        }
    }

    fn freezer(&self) -> bool {
        self.launcher.abilities().freezer
    }

    /// One meter for all sandboxes that a workspace ever has.
    fn proxy(&self, id: &WorkspaceId) -> egress::Proxy {
        let config = &self.egress;
        let new = || Arc::new(egress::Meter::new(config.connections, config.rate, config.burst));
        let meter = Arc::clone(&self.meters.entry(id.clone()).or_insert_with(new));
        let [connect, idle] = [config.connect_timeout_ms, config.idle_timeout_ms].map(Duration::from_millis);
        egress::Proxy::new(Arc::clone(&self.policy), meter, connect, idle)
    }
}
