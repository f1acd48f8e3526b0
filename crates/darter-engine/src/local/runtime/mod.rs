//! Installs a runtime at the first start: archives, built-in packages, tools, the shim, V8's compiled code.
//!
//! Two folders, each complete or absent: the base (large, changes with versions) and the shim (small, changes with this
//! program). Nothing of it runs outside a sandbox.

mod download;
mod manifest;
mod unpack;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use darter_sandbox::{Bind, LauncherClient};

pub use download::Downloads;
pub use manifest::{Download, Parts, digest};
pub use unpack::unpack;

use super::certificates;
use super::job::{self, Ended, Job};
use super::layout::{Build, Layout};
use crate::EngineConfig;
use crate::egress::Proxy;

const INSTALL_DEADLINE: Duration = Duration::from_secs(900);
const WARM_DEADLINE: Duration = Duration::from_secs(180);

/// A step of the installation, for whoever watches the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bytes so far and in all (0: unknown).
    Download {
        what: String,
        bytes: u64,
        total: u64,
    },
    Unpack {
        what: String,
    },
    /// Built-in packages; a line of npm's.
    Packages {
        line: String,
    },
    /// Compiling ahead.
    Warm,
    /// Everything is there.
    Ready,
}

/// Hears the steps.
pub type Progress = Arc<dyn Fn(Step) + Send + Sync>;

/// An installed runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    base: PathBuf,
    shim: PathBuf,
    pub digest: String,
    pub argv: Vec<String>,
    pub warm_dependencies: Vec<String>,
    pub language_server: Vec<String>,
}

impl Runtime {
    /// How it appears inside: everything at `/runtime`, read-only.
    pub fn binds(&self) -> Vec<Bind> {
        vec![
            Bind::read_only(&self.base, "/runtime"),
            Bind::read_only(self.shim.join("shim"), "/runtime/shim"),
            Bind::read_only(self.shim.join("cache"), "/runtime/cache"),
        ]
    }

    /// The built-in packages, for the language server.
    pub fn packages(&self) -> PathBuf {
        self.base.join("node_modules")
    }
}

/// Installs what is not installed yet.
pub struct Installer<'a> {
    pub config: &'a EngineConfig,
    pub layout: &'a Layout,
    pub launcher: &'a LauncherClient,
    pub proxy: Proxy,
    pub progress: Progress,
}

impl Installer<'_> {
    /// The runtime of these parts, installed now or before. The error is in words for the operator.
    pub async fn install(&self, parts: &Parts) -> Result<Runtime, String> {
        let folder = self.layout.runtimes.join(&parts.manifest.name);
        let base = folder.join(parts.base_digest());
        let shim = folder.join(format!("{}-shim", parts.shim_digest()));
        let typescript = parts.manifest.tools.get("typescript").ok_or("runtime.toml lists no [tools.typescript]")?;
        if !base.is_dir() {
            self.install_base(parts, &base).await?;
        }
        let runtime = Runtime {
            base,
            shim,
            digest: parts.base_digest(),
            argv: parts.manifest.exec.argv.clone(),
            warm_dependencies: parts.manifest.exec.warm_dependencies.clone(),
            language_server: typescript.argv.clone(),
        };
        if !runtime.shim.is_dir() {
            self.install_shim(parts, &runtime).await?;
        }
        (self.progress)(Step::Ready);
        Ok(runtime)
    }

    async fn install_base(&self, parts: &Parts, target: &Path) -> Result<(), String> {
        if !cfg!(target_arch = "x86_64") {
            return Err("the node runtime is packaged for x86-64 machines only".into());
        }
        let disk = |error: std::io::Error| format!("installing the runtime failed: {error}");
        let build = self.layout.build("runtime").map_err(disk)?;
        for name in ["shim", "cache"] {
            std::fs::create_dir(build.path().join(name)).map_err(disk)?;
        }
        self.unpack_downloads(parts, &build).await?;
        self.install_packages(parts, &build).await?;
        build.finish(target).map_err(disk)
    }

    async fn unpack_downloads(&self, parts: &Parts, build: &Build) -> Result<(), String> {
        let downloads =
            Downloads::new(&self.layout.downloads, &self.config.npm_registry, self.config.certificates.as_deref())?;
        for (what, download) in parts.downloads() {
            let (progress, name) = (Arc::clone(&self.progress), what.to_owned());
            let report = move |bytes, total| progress(Step::Download { what: name.clone(), bytes, total });
            let file = downloads.fetch(download, &report).await?;
            (self.progress)(Step::Unpack { what: what.to_owned() });
            let (files, into) = (download.files.clone(), build.path().to_path_buf());
            let unpacked = tokio::task::spawn_blocking(move || unpack::unpack(file, &files, &into)).await;
            unpacked
                .map_err(|error| error.to_string())
                .and_then(|done| done.map_err(|error| error.to_string()))
                .map_err(|why| format!("unpacking {what} failed: {why}"))?;
        }
        Ok(())
    }

    async fn install_packages(&self, parts: &Parts, build: &Build) -> Result<(), String> {
        let disk = |error: std::io::Error| format!("installing the built-in packages failed: {error}");
        let packages = build.writable("packages").map_err(disk)?;
        build.write("packages/package.json", &parts.package_json).map_err(disk)?;
        build.write("packages/package-lock.json", &parts.lockfile).map_err(disk)?;
        let binds = vec![Bind::read_only(build.path(), "/runtime"), Bind::writable(&packages, "/build")];
        let job = Job {
            argv: parts.manifest.packages.install.clone(),
            cwd: "/build",
            env: npm_environment(self.config),
            binds: certificates::with(binds, self.config),
            limits: job::limits(4_000, 2 << 30, 256),
            proxy: Some(self.proxy.clone()),
            timeout: INSTALL_DEADLINE,
            quota: None,
            system: None,
        };
        self.run(job, "installing the built-in packages").await?;
        // The folder is ours, its content the packages': a link in its place would be moved as a link, and refused later.
        std::fs::rename(packages.join("node_modules"), build.path().join("node_modules")).map_err(disk)?;
        super::layout::remove_tree(&packages).map_err(disk)
    }

    async fn install_shim(&self, parts: &Parts, runtime: &Runtime) -> Result<(), String> {
        let disk = |error: std::io::Error| format!("installing the runtime's shim failed: {error}");
        let build = self.layout.build("shim").map_err(disk)?;
        for (path, content) in &parts.shim {
            let target = build.path().join("shim").join(path);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(disk)?;
            }
            std::fs::write(target, content).map_err(disk)?;
        }
        let cache = build.writable("cache").map_err(disk)?;
        (self.progress)(Step::Warm);
        let exec = &parts.manifest.exec;
        for (argv, what) in
            [(&exec.bundle, "making the shim one file"), (&exec.warm, "compiling the built-in packages ahead")]
        {
            let job = Job {
                argv: argv.clone(),
                cwd: "/tmp",
                env: job::environment(None),
                binds: vec![
                    Bind::read_only(&runtime.base, "/runtime"),
                    Bind::read_only(build.path().join("shim"), "/runtime/shim"),
                    Bind::writable(&cache, "/runtime/cache"),
                ],
                limits: job::limits(2_000, 1 << 30, 128),
                proxy: None,
                timeout: WARM_DEADLINE,
                quota: None,
                system: None,
            };
            self.run(job, what).await?;
        }
        build.finish(&runtime.shim).map_err(disk)
    }

    async fn run(&self, job: Job, what: &str) -> Result<(), String> {
        let mut last: Vec<String> = Vec::new();
        let ended = job.run(self.launcher, |line| {
            if last.len() == 30 {
                last.remove(0);
            }
            last.push(line.clone());
            (self.progress)(Step::Packages { line });
        });
        let why = match ended.await.map_err(|error| format!("{what} failed: {error}"))? {
            Ended::Exit(exit) if exit.reason == darter_sandbox::ExitReason::Code(0) => return Ok(()),
            Ended::Excess(_) => "the disk is full".into(),
            other => other.to_string(),
        };
        Err(format!("{what} failed ({why}). The last lines:\n{}", last.join("\n")))
    }
}

/// What npm is told: the registry, no questions, no extras.
pub fn npm_environment(config: &EngineConfig) -> Vec<(String, String)> {
    let mut env = job::environment(certificates::inside(config));
    let proxy = format!("http://{}", darter_sandbox::EGRESS_ADDRESS);
    for (name, value) in [
        ("registry", config.npm_registry.as_str()),
        ("proxy", &proxy),
        ("https_proxy", &proxy),
        ("cache", "/tmp/npm"),
        ("update_notifier", "false"),
        ("audit", "false"),
        ("fund", "false"),
        ("progress", "false"),
        ("color", "false"),
        ("loglevel", "http"),
        ("fetch_retries", "3"),
        ("maxsockets", "12"),
    ] {
        env.push((format!("npm_config_{name}"), value.to_owned()));
    }
    env
}
