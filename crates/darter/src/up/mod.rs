//! `darter up`: the server. It wires the parts together, in the one order that is safe: configuration, lock, launcher,
//! descent from root, threads.
//!
//! ```text
//! configuration ─► data directory, lock ─► fork launcher ─► give root up ─► threads ─► ports ─► walls ─► store, engine,
//! platform ─► "ready …" ─► serve ─► first signal: drain, end sandboxes, write what is left ─► nothing remains
//! ```

mod admin;
mod certificates;
pub mod data;
mod directory;
mod doors;
mod front;
mod logging;
pub mod owner;
mod packages;
pub mod parts;
mod progress;
mod ssh;
mod stop;
mod walls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use darter_engine::Engine;
use darter_engine::workspace::AttendantProgram;
use darter_engine::workspace::Workspaces;
use darter_gateway::{Gateway, GatewayConfig, Listener, Tls};
use darter_sandbox::{Launcher, LauncherConfig, become_account};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bad_configuration;
use crate::client::{Exit, Failure};
use crate::command::output;
use crate::config::{Config, Loaded, Problem, Sources, gateway_config};
use certificates::Certificates;
use owner::Identity;
use parts::Running;

/// How often sessions, tokens and kept answers that have ended are removed.
const SWEEP: Duration = Duration::from_secs(3_600);

/// Start the server.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub sources: Sources,
    /// What to log, e.g. info or info,darter_engine=debug
    #[arg(long, env = "DARTER_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

impl Up {
    /// Runs until a signal. Returns when nothing of the server is left.
    pub fn run(self) -> Result<(), Failure> {
        let loaded = self.sources.load().map_err(|problems| bad_configuration(&problems))?;
        logging::start(&self.log)?;
        let server = &loaded.config.server;
        let identity = Identity::choose(&server.user).map_err(|problem| bad_configuration(&[problem]))?;
        // While we may still read them: afterwards the server is another account.
        let tls = Certificates::read(server).map_err(|problem| bad_configuration(&[problem]))?;
        data::prepare(&loaded.data, identity)?;
        let lock = data::Lock::take(&loaded.data, identity, &server.address(server.listen.port()))?;
        // What serves inside a workspace is this program itself, which may lie where only root can look.
        let attendant = AttendantProgram::this()
            .map_err(|error| failed(format!("the program's own file cannot be found: {error}")))?;
        let launcher = Launcher::fork(LauncherConfig::for_data_dir(&loaded.data, identity.owner)).map_err(failed)?;
        if identity.root {
            become_account(identity.owner).map_err(failed)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("darter").build()?;
        let result = runtime.block_on(serve(loaded, launcher, attendant, tls));
        runtime.shutdown_timeout(Duration::from_secs(2));
        drop(lock);
        result
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

async fn serve(
    loaded: Loaded,
    launcher: Launcher,
    attendant: AttendantProgram,
    tls: Option<(Certificates, Tls)>,
) -> Result<(), Failure> {
    // Fails only when a provider is installed already, and then it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = stop::token()?;
    let (front, admin) = listen(&loaded.config).await?;
    let ssh = ssh::open(&loaded.config, &loaded.data).await?;
    let port = front.local_addr()?.port();
    let address = loaded.config.server.address(port);
    let config = loaded.config.clone();
    let launcher = launcher.connect().await.map_err(failed)?;
    // A signal during the first start ends it: what is half installed has no name yet.
    let running = tokio::select! {
        running = Running::start(loaded, launcher.clone(), attendant, (port, ssh.as_ref().map(|door| door.shown.clone()))) => running?,
        () = stop.cancelled() => return Ok(()),
    };
    let gateway_config = GatewayConfig {
        console: Some(address.clone()),
        ..gateway_config(&config.server, &config.gateway).map_err(|problem| bad_configuration(&[problem]))?
    };
    let gateway =
        Gateway::new(gateway_config, running.gateway_parts(), darter_http::router(Arc::clone(&running.platform)))
            .map_err(failed)?;

    let ready = Arc::new(AtomicBool::new(true));
    let ended = CancellationToken::new();
    let tasks = TaskTracker::new();
    if let Some(socket) = admin {
        let admin = admin::Admin {
            platform: Arc::clone(&running.platform),
            gateway: gateway.clone(),
            ready: Arc::clone(&ready),
        };
        tasks.spawn(admin::serve(socket, admin, ended.clone()));
    }
    tasks.spawn(darter_platform::upkeep::keep_apps(Arc::clone(&running.platform), ended.clone()));
    tasks.spawn(darter_platform::workspace::keep_workspaces(Arc::clone(&running.platform), ended.clone()));
    tasks.spawn(sweep(Arc::clone(&running.platform), ended.clone()));
    let connected = CancellationToken::new();
    if let Some(door) = ssh {
        tasks.spawn(door.serve(Arc::clone(&running.platform), connected.clone()));
    }
    output::line(&format!("ready {address}"));

    let listener = match tls {
        Some((certificates, tls)) => {
            tasks.spawn(certificates.keep_fresh(tls.clone(), ended.clone()));
            Listener::tls(front, tls)
        }
        None => Listener::plain(front),
    };
    let lost = launcher.clone();
    let why = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = lost.gone() => tracing::error!("the launcher is gone and every sandbox with it; stopping. Start the server again"),
        }
        ready.store(false, Ordering::Relaxed);
    };
    gateway.serve(vec![listener], why).await;
    let graceful = stop.is_cancelled();
    connected.cancel();
    tokio::join!(running.workspaces.shutdown(config.server.drain_ms), running.engine.shutdown(config.server.drain_ms));
    ended.cancel();
    tasks.close();
    tasks.wait().await;
    running.close().await;
    tracing::info!("stopped");
    if graceful { Ok(()) } else { Err(failed("the launcher ended by itself")) }
}

/// Binds the ports, or says who has them.
async fn listen(config: &Config) -> Result<(TcpListener, Option<TcpListener>), Failure> {
    let bind = async |key: &str, address: std::net::SocketAddr| {
        TcpListener::bind(address).await.map_err(|error| {
            let fix = "choose another address, or stop what listens there";
            bad_configuration(&[Problem::new(key, format!("{address}: {error}"), fix)])
        })
    };
    let front = bind("server.listen", config.server.listen).await?;
    let admin = match config.server.admin_address() {
        Some(address) => Some(bind("server.admin_listen", address).await?),
        None => None,
    };
    Ok((front, admin))
}

async fn sweep(platform: Arc<darter_platform::Platform>, stop: CancellationToken) {
    let mut turn = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => {
                if let Err(fault) = platform.sweep().await {
                    tracing::warn!(%fault, cause = ?fault.cause, "removing what has ended failed; it is tried again");
                }
            }
        }
    }
}
