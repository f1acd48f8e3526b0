//! What every use case works with: the store, the clock, the keys, the engine, and what is kept in memory.

use std::path::PathBuf;
use std::sync::Arc;

use darter_api::system::Wall;
use darter_core::{Clock, Fault, Millis, Random};
use darter_engine::Engine;
use darter_engine::environment::Environments;
use darter_engine::run::Runs;
use darter_engine::workspace::Workspaces;
use darter_store::logs::LogStore;
use darter_store::{Store, guess, idempotency, reset, session};
use tokio_util::task::TaskTracker;

use crate::account::{Avatars, Hasher};
use crate::apps::Apps;
use crate::config::PlatformConfig;
use crate::credential::Credentials;
use crate::domain::Resolver;
use crate::guess::{FORGET, Guesses};
use crate::mail::Mailer;
use crate::provider::Providers;
use crate::resource::PackageRegistry;
use crate::seal::Sealer;
use crate::workspace::{self, WorkspaceSide};
use crate::{directory, keys, settings};

/// How long answers to creations are kept for a repeated request.
const IDEMPOTENCY_LIFE: Millis = 24 * 3_600_000;

/// What the platform is made of.
pub struct Parts {
    /// The data directory: `keys/` and `avatars/` are in it.
    pub data: PathBuf,
    pub store: Store,
    pub config: PlatformConfig,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub engine: Arc<dyn Engine>,
    /// What runs workspaces.
    pub workspaces: Arc<dyn Workspaces>,
    /// What workspaces start from.
    pub environments: Arc<dyn Environments>,
    /// What runs snippets.
    pub runs: Arc<dyn Runs>,
    pub logs: LogStore,
    pub resolver: Arc<dyn Resolver>,
    /// What `darter doctor` sees of the sandbox's walls.
    pub doctor: Box<dyn Fn() -> Vec<Wall> + Send + Sync>,
}

/// The platform.
pub struct Platform {
    pub store: Store,
    pub config: PlatformConfig,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub(crate) started_at: Millis,
    pub engine: Arc<dyn Engine>,
    /// Apps, functions and what belongs to them.
    pub apps: Apps,
    /// Workspaces and their doors.
    pub workspaces: WorkspaceSide,
    pub(crate) runs: Arc<dyn Runs>,
    /// Work that goes on after an answer (mails, notes of use). Waited for at the end.
    pub tasks: TaskTracker,
    pub(crate) doctor: Box<dyn Fn() -> Vec<Wall> + Send + Sync>,
    pub(crate) credentials: Credentials,
    pub(crate) guesses: Guesses,
    pub(crate) hasher: Hasher,
    pub(crate) mailer: Mailer,
    pub(crate) avatars: Avatars,
    pub(crate) providers: Providers,
    /// Kept answers.
    pub(crate) answers: Sealer,
}

impl Platform {
    /// Puts the parts together and loads what is kept in memory. The configuration was validated before.
    pub async fn open(parts: Parts) -> Result<Arc<Self>, Fault> {
        let master = keys::master_key(&parts.data, &*parts.random)?;
        let now = parts.clock.now();
        let packages = PackageRegistry::new(&parts.config)?;
        let platform = Arc::new(Self {
            workspaces: WorkspaceSide::new(
                parts.workspaces,
                parts.environments,
                (workspace::vault(&parts.data, &parts.config.snapshots)?, &master),
            ),
            apps: Apps::new(parts.logs, &master, (parts.resolver, packages), now),
            runs: parts.runs,
            tasks: TaskTracker::new(),
            doctor: parts.doctor,
            credentials: Credentials::default(),
            guesses: Guesses::default(),
            hasher: Hasher::default(),
            mailer: Mailer::new(&parts.config.mail)?,
            avatars: Avatars::new(parts.data.join("avatars")),
            providers: Providers::new(&parts.config, &master)?,
            answers: Sealer::new("darter 2026-11 kept answers of creations", &master),
            store: parts.store,
            config: parts.config,
            clock: parts.clock,
            random: parts.random,
            started_at: now,
            engine: parts.engine,
        });
        settings::suggest(&platform).await?;
        platform.guesses.load(&platform.store).await?;
        directory::load(&platform).await?;
        workspace::load(&platform).await?;
        Ok(platform)
    }

    /// Removes what has ended: sessions, reset tokens, kept answers. Once an hour is often enough.
    pub async fn sweep(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        session::sweep(&mut tx, now).await?;
        reset::sweep(&mut tx, now).await?;
        idempotency::sweep(&mut tx, now - IDEMPOTENCY_LIFE).await?;
        guess::sweep(&mut tx, now - FORGET).await?;
        tx.commit().await?;
        self.guesses.sweep(now);
        Ok(())
    }

    /// Waits for work that goes on after an answer. New work may be added meanwhile and later.
    pub async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}
