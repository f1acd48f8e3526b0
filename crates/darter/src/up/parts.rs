//! The parts of a running server, made in the order in which they need each other, and closed in the other one.

use std::path::Path;
use std::sync::Arc;

use darter_api::system::{SshDoor, Wall};
use darter_core::{Clock, Fault, Random, SystemClock, SystemRandom};
use darter_engine::LocalEngine;
use darter_engine::workspace::{AttendantProgram, LocalWorkspaces, Setup};
use darter_platform::directory::Source;
use darter_platform::domain::SystemResolver;
use darter_platform::workspace::Residents;
use darter_platform::{Parts, Platform};
use darter_sandbox::LauncherClient;
use darter_store::Store;
use darter_store::logs::{LogOptions, LogStore};

use super::directory::FrontDoor;
use super::doors::Entrance;
use super::front::Pages;
use super::{failed, packages, progress, walls};
use crate::bad_configuration;
use crate::client::{Exit, Failure};
use crate::config::{Config, Loaded};

/// Everything below the front door.
pub struct Running {
    pub platform: Arc<Platform>,
    pub engine: Arc<LocalEngine>,
    pub workspaces: Arc<LocalWorkspaces>,
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A fault as the operator sees it: with its cause, which clients never get.
pub fn told(fault: Fault) -> Failure {
    let cause = fault.cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    let mut failure = Failure::new(Exit::Failed, format!("{}{cause}", fault.message));
    failure.detail.code = fault.code.into();
    failure
}

/// The control database of a configuration.
pub async fn store(config: &Config, data: &Path) -> Result<Store, Failure> {
    let url = config.database.url.reveal();
    let opened = if url.is_empty() { Store::open_file(&data.join("control.db")).await } else { Store::open(url).await };
    opened.map_err(|error| Failure::new(Exit::Failed, format!("The control database cannot be opened: {error}")))
}

impl Running {
    /// Starts everything; installs the runtime when this is the first start.
    pub async fn start(
        loaded: Loaded,
        launcher: LauncherClient,
        attendant: AttendantProgram,
        (port, ssh): (u16, Option<SshDoor>),
    ) -> Result<Self, Failure> {
        let Loaded { data, config, .. } = loaded;
        let seen = walls::look(&launcher, &data).await;
        walls::admit(&seen, config.server.single_user)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let store = store(&config, &data).await?;
        let mut options = LogOptions::new(data.join("logs"));
        (options.app_bytes, options.total_bytes) = (config.logs.app_bytes, config.logs.total_bytes);
        let logs = LogStore::open(options, Arc::clone(&clock)).map_err(failed)?;
        let source = Source::new(logs.clone());
        let mut engine_config = config.engine.config(&data).map_err(|problem| bad_configuration(&[problem]))?;
        engine_config.runs = config.runs.config();
        engine_config.environments.attendant = Some(attendant.file.clone());
        let mut platform_config = config.platform(port);
        platform_config.ssh = ssh;
        platform_config.built_in_packages = packages::built_in();
        platform_config.npm_registry.clone_from(&engine_config.npm_registry);
        platform_config.npm_certificates.clone_from(&engine_config.certificates);
        let egress = engine_config.egress.clone();
        let engine = LocalEngine::start(
            engine_config,
            launcher.clone(),
            source.clone(),
            Arc::clone(&clock),
            progress::listener(),
        )
        .await
        .map_err(told)?;
        let residents = Residents::new();
        let setup = Setup {
            folder: data.join("workspaces"),
            config: config.workspaces.engine().map_err(|problem| bad_configuration(&[problem]))?,
            egress,
            launcher,
            attendant,
            source: residents.clone(),
            environments: engine.environments().clone(),
            clock: Arc::clone(&clock),
            files_owner: None,
        };
        let workspaces = LocalWorkspaces::start(setup).map_err(told)?;
        let parts = Parts {
            data,
            store: store.clone(),
            config: platform_config,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            engine: engine.clone(),
            workspaces: workspaces.clone(),
            environments: engine.environments().clone(),
            runs: engine.runs().clone(),
            logs,
            resolver: Arc::new(SystemResolver::new(Arc::clone(&random))),
            doctor: Box::new(move || seen.iter().map(shown).collect()),
        };
        let platform = Platform::open(parts).await.map_err(told)?;
        source.connect(&platform);
        residents.connect(&platform);
        Ok(Self { platform, engine, workspaces, store, clock, random })
    }

    /// What the gateway is handed.
    pub fn gateway_parts(&self) -> darter_gateway::Parts {
        darter_gateway::Parts {
            directory: Arc::new(FrontDoor(Arc::clone(&self.platform))),
            doors: Arc::new(Entrance { platform: Arc::clone(&self.platform), pages: Pages::default() }),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
        }
    }

    /// Waits for work that goes on after answers, and closes the database.
    pub async fn close(self) {
        self.platform.settle().await;
        self.store.close().await;
    }
}

fn shown(wall: &walls::Seen) -> Wall {
    Wall {
        name: wall.name.clone(),
        standing: wall.standing,
        required: wall.required,
        detail: wall.detail.clone(),
        what_to_do: wall.what_to_do.clone(),
    }
}
