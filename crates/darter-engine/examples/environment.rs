//! Installs an environment for a developer to look at: `cargo run -p darter-engine --example environment -- <folder> <name>`.
//!
//! As root, like the tests: it forks a launcher of its own and needs nobody else's server. It must never be shipped.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::record::LogRecord;
use darter_core::workspace::EnvironmentName;
use darter_core::{AppId, Fault, SystemClock};
use darter_engine::environment::{Environments, InstallEvent};
use darter_engine::{AppBundle, AppSource, EngineConfig, LocalEngine};
use darter_sandbox::{Launcher, LauncherConfig, Owner};

const OWNER: Owner = Owner { uid: 65_534, gid: 65_534 };

struct NoApps;

#[async_trait]
impl AppSource for NoApps {
    async fn load(&self, _: &AppId) -> Result<AppBundle, Fault> {
        Err(Fault::not_found("app.not_found", "There is no such app."))
    }

    fn log(&self, _: LogRecord) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, name] = words.as_slice() else { return Err("say <folder> <name>".into()) };
    let cache = PathBuf::from(std::env::var("HOME")?).join(".cache/darter/engine");
    std::fs::create_dir_all(cache.join("runtimes"))?;
    std::fs::create_dir_all(folder)?;
    let data = PathBuf::from(folder).canonicalize()?;
    let mut config = EngineConfig::for_data_dir(&data, &std::env::var("DARTER_ENGINE_REGISTRY")?);
    config.pypi_index = std::env::var("DARTER_ENGINE_PYPI").unwrap_or_default();
    let hosts = std::env::var("DARTER_ENGINE_REGISTRY_HOSTS").unwrap_or_default();
    config.registry_hosts = hosts.split(',').filter(|host| !host.is_empty()).map(str::to_owned).collect();
    config.runtimes = Some(cache.join("runtimes"));
    config.downloads = Some(cache.join("downloads"));
    config.certificates = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    config.files_owner = Some((OWNER.uid, OWNER.gid));
    config.pool.size = 0;
    let mut walls = LauncherConfig::for_data_dir(&data, OWNER);
    walls.readable.push(cache.join("runtimes"));
    let launcher = Launcher::fork_in_test(walls)?;
    let name: EnvironmentName = name.parse()?;
    tokio::runtime::Runtime::new()?.block_on(async move {
        // Fails only when one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let launcher = launcher.connect().await?;
        let progress = Arc::new(|_| {});
        let engine = LocalEngine::start(config, launcher, Arc::new(NoApps), Arc::new(SystemClock), progress).await?;
        let environments = Arc::clone(engine.environments());
        if let Some(mut events) = Arc::clone(&environments).install(&name)? {
            while let Ok(event) = events.recv().await {
                match event {
                    InstallEvent::Phase { name, what, number, of } => println!("[{number}/{of}] {name} {what}"),
                    InstallEvent::Output { line } => println!("    {line}"),
                    InstallEvent::Failed { message, .. } => return Err(message.into()),
                    InstallEvent::Installed { .. } => break,
                    InstallEvent::Download { .. } => {}
                }
            }
        }
        println!("{:#?}", environments.installed(&name).await?);
        println!("changed since: {:?}", environments.verify(&name).await?);
        Ok(())
    })
}
