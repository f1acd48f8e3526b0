//! Installs an app's npm packages in a sandbox. The result is complete or absent; an error is in the owner's words.
//!
//! Packages' own scripts run: inside the same walls as everything else here, with the same way out. What they leave
//! behind is measured, moved and deleted without following a single link.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use darter_core::{Fault, Kind};
use darter_sandbox::{Bind, Exit, ExitReason, SandboxError};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::Shared;
use super::certificates;
use super::job::{self, Ended, Job};
use super::layout::{self, Build};
use super::quota::{Excess, Quota};
use super::runtime::{digest, npm_environment};
use crate::contract::{InstallProgress, InstallRequest, InstalledPackage};
use crate::egress::{Meter, Proxy};

const WARM_DEADLINE: Duration = Duration::from_secs(90);
/// Largest lockfile.
const LOCKFILE: u64 = 16 << 20;
/// Lines of output that an error shows.
const LAST_LINES: usize = 30;

/// Why an install failed, for the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    code: &'static str,
    message: String,
}

fn failed(code: &'static str, message: impl Into<String>) -> Failed {
    Failed { code, message: message.into() }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "a dependency install failed on disk");
        failed("dependencies.disk", "The server could not write the packages to its disk. Tell its operator.")
    }
}

impl From<SandboxError> for Failed {
    fn from(error: SandboxError) -> Self {
        tracing::error!(%error, "no sandbox for a dependency install");
        failed(
            "dependencies.sandbox",
            "The server could not make a sandbox for the install. Try again; if it stays, tell its operator.",
        )
    }
}

impl Shared {
    pub(super) fn install(self: &Arc<Self>, request: InstallRequest) -> Result<mpsc::Receiver<InstallProgress>, Fault> {
        let place = Arc::clone(&self.installs).try_acquire_owned().map_err(|_| {
            let message = "Other installs are running. Try again when they are done.";
            Fault::new(Kind::Unavailable, "dependencies.busy", message).retry_after(10)
        })?;
        let (events, receiver) = mpsc::channel(1_024);
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            let work = Work { engine: &engine, request: &request, events: &events };
            let end = tokio::select! {
                end = work.run() => end,
                // Nobody watches any more: dropping the work ends its sandbox and removes its folder.
                () = events.closed() => return,
            };
            let last =
                end.unwrap_or_else(|Failed { code, message }| InstallProgress::Failed { code: code.into(), message });
            // Who watched may have gone.
            let _ = events.send(last).await;
            drop(place);
        });
        Ok(receiver)
    }
}

struct Work<'a> {
    engine: &'a Shared,
    request: &'a InstallRequest,
    events: &'a mpsc::Sender<InstallProgress>,
}

impl Work<'_> {
    async fn run(&self) -> Result<InstallProgress, Failed> {
        let build = self.engine.layout.build("deps")?;
        let app = build.writable("app")?;
        build.write("app/package.json", package_json(&self.request.packages).as_bytes())?;
        if let Some(lockfile) = &self.request.lockfile {
            build.write("app/package-lock.json", lockfile.as_bytes())?;
        }
        self.phase("resolve");
        self.npm(&app).await?;
        self.phase("store");
        let lockfile = layout::read_tenant_file(&app, "package-lock.json", LOCKFILE).map_err(|_| {
            failed(
                "dependencies.lockfile",
                "npm left no usable package-lock.json behind. Remove packages that change it, and try again.",
            )
        })?;
        let packages = installed(&lockfile, &self.request.packages)?;
        let bytes = self.measure(&app).await?;
        let digest = digest([self.engine.runtime.digest.as_bytes(), lockfile.as_bytes()]);
        let target = self.engine.layout.dependencies(&self.request.app, &digest);
        if !target.is_dir() {
            self.phase("warm");
            self.warm(&build, &app, &packages).await?;
            self.store(build, &target).await?;
        }
        Ok(InstallProgress::Installed { digest, lockfile, packages, bytes })
    }

    fn phase(&self, name: &str) {
        // A watcher that does not read loses progress, never the end.
        let _ = self.events.try_send(InstallProgress::Phase { name: name.into() });
    }

    async fn npm(&self, app: &Path) -> Result<(), Failed> {
        let config = &self.engine.config;
        let mut binds = self.engine.runtime.binds();
        binds.push(Bind::writable(app, "/app"));
        let npm = [
            "/runtime/bin/node",
            "/runtime/npm/bin/npm-cli.js",
            "install",
            "--omit=dev",
            "--no-audit",
            "--no-fund",
            "--save-exact=false",
        ];
        let job = Job {
            argv: npm.map(str::to_owned).into(),
            cwd: "/app",
            env: npm_environment(config),
            binds: certificates::with(binds, config),
            limits: job::limits(config.install.cpu_millis, config.install.memory_bytes, config.install.pids),
            proxy: Some(self.proxy()),
            timeout: Duration::from_millis(config.install.timeout_ms),
            quota: Some(self.quota(app)),
            system: None,
        };
        let mut last: Vec<String> = Vec::new();
        let mut downloading = false;
        let ended = job.run(&self.engine.launcher, |line| {
            if !downloading && line.contains("http fetch") {
                downloading = true;
                self.phase("download");
            }
            if last.len() == 200 {
                last.remove(0);
            }
            last.push(line.clone());
            let _ = self.events.try_send(InstallProgress::Output { line });
        });
        match ended.await? {
            Ended::Exit(exit) => explain(exit, &last, config.install.memory_bytes),
            Ended::TimedOut => Err(failed(
                "dependencies.timeout",
                format!(
                    "The install took longer than {} s. Use fewer or smaller packages, and try again.",
                    config.install.timeout_ms / 1_000
                ),
            )),
            Ended::Excess(excess) => Err(self.too_large(excess)),
        }
    }

    /// How much one folder of the build may hold while a job runs.
    fn quota(&self, folder: &Path) -> Quota {
        let limits = &self.engine.config.install;
        Quota {
            folder: folder.to_path_buf(),
            most: layout::TreeSize { bytes: limits.max_bytes, files: limits.max_files },
        }
    }

    fn too_large(&self, excess: Excess) -> Failed {
        let limits = &self.engine.config.install;
        match excess {
            Excess::Folder(size) => failed(
                "dependencies.too_large",
                format!(
                    "The install was stopped: it had written {} MiB in {} files and was not done; {} MiB and {} files are allowed. Leave out what is not needed, and look for a package whose install script writes without end.",
                    size.bytes >> 20,
                    size.files,
                    limits.max_bytes >> 20,
                    limits.max_files
                ),
            ),
            Excess::Disk => {
                tracing::error!("a dependency install was stopped: the disk of the data directory is nearly full");
                failed(
                    "dependencies.disk",
                    "The install was stopped because the server's disk is nearly full. Tell its operator.",
                )
            }
        }
    }

    /// The app's own meter counts; the registry may be anywhere the operator says.
    fn proxy(&self) -> Proxy {
        let config = &self.engine.config.egress;
        let fresh = || Arc::new(Meter::new(config.connections, config.rate, config.burst));
        let meter = Arc::clone(&*self.engine.meters.entry(self.request.app.clone()).or_insert_with(fresh));
        let connect = Duration::from_millis(config.connect_timeout_ms);
        Proxy::new(Arc::clone(&self.engine.install_policy), meter, connect, Duration::from_secs(120))
    }

    async fn measure(&self, app: &Path) -> Result<u64, Failed> {
        let limits = &self.engine.config.install;
        let modules = app.join("node_modules");
        if let Err(error) = std::fs::symlink_metadata(&modules) {
            // No package at all: an empty folder stands for them.
            if error.kind() != std::io::ErrorKind::NotFound || !self.request.packages.is_empty() {
                return Err(error.into());
            }
            return Ok(0);
        }
        let size =
            tokio::task::spawn_blocking(move || layout::measure(&modules)).await.map_err(std::io::Error::other)??;
        if size.bytes > limits.max_bytes || size.files > limits.max_files {
            return Err(failed(
                "dependencies.too_large",
                format!(
                    "The packages take {} MiB in {} files; {} MiB and {} files are allowed. Leave out what is not needed.",
                    size.bytes >> 20,
                    size.files,
                    limits.max_bytes >> 20,
                    limits.max_files
                ),
            ));
        }
        Ok(size.bytes)
    }

    /// Lets V8 compile the packages ahead, at the paths they have when they run. A failure costs speed, nothing else.
    async fn warm(&self, build: &Build, app: &Path, packages: &[InstalledPackage]) -> Result<(), Failed> {
        if packages.is_empty() {
            return Ok(());
        }
        let cache = build.writable("cache")?;
        let mut binds = self.engine.runtime.binds();
        binds.push(Bind::read_only(app.join("node_modules"), "/app/node_modules"));
        binds.push(Bind::writable(&cache, "/app/.cache"));
        let names = packages.iter().map(|package| package.name.clone());
        let config = &self.engine.config.install;
        let job = Job {
            argv: self.engine.runtime.warm_dependencies.iter().cloned().chain(names).collect(),
            cwd: "/tmp",
            env: job::environment(None),
            binds,
            limits: job::limits(config.cpu_millis, config.memory_bytes, config.pids),
            proxy: None,
            timeout: WARM_DEADLINE,
            quota: Some(self.quota(&cache)),
            system: None,
        };
        let ended = job.run(&self.engine.launcher, |line| {
            let _ = self.events.try_send(InstallProgress::Output { line });
        });
        match ended.await? {
            Ended::Exit(_) => Ok(()),
            Ended::TimedOut => {
                let line = "Compiling the packages ahead took too long; they start a little slower.".to_owned();
                let _ = self.events.try_send(InstallProgress::Output { line });
                Ok(())
            }
            Ended::Excess(excess) => Err(self.too_large(excess)),
        }
    }

    /// Only what a running app needs, all of it or nothing.
    async fn store(&self, build: Build, target: &Path) -> Result<(), Failed> {
        let target = target.to_path_buf();
        let stored = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            let app = build.path().join("app");
            for (from, to) in [
                (app.join("node_modules"), "node_modules"),
                (app.join("package-lock.json"), "package-lock.json"),
                (build.path().join("cache"), ".cache"),
            ] {
                match std::fs::rename(from, build.path().join(to)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
            layout::remove_tree(&app)?;
            build.finish(&target)
        });
        Ok(stored.await.map_err(std::io::Error::other)??)
    }
}

fn package_json(packages: &BTreeMap<String, String>) -> String {
    serde_json::json!({ "name": "app", "version": "0.0.0", "private": true, "dependencies": packages }).to_string()
}

#[derive(Deserialize)]
struct Lockfile {
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    version: String,
}

/// What is installed at the top level, of what was asked for.
fn installed(lockfile: &str, wanted: &BTreeMap<String, String>) -> Result<Vec<InstalledPackage>, Failed> {
    let lock: Lockfile = serde_json::from_str(lockfile).map_err(|_| {
        failed(
            "dependencies.lockfile",
            "npm left a package-lock.json behind that cannot be read. Try again without the old lockfile.",
        )
    })?;
    let version = |name: &String| Some(lock.packages.get(&format!("node_modules/{name}"))?.version.clone());
    Ok(wanted
        .keys()
        .filter_map(|name| Some(InstalledPackage { name: name.clone(), version: version(name)? }))
        .collect())
}

/// npm's end, in words.
fn explain(exit: Exit, output: &[String], memory: u64) -> Result<(), Failed> {
    if exit.reason == ExitReason::OutOfMemory || (exit.oom_kills > 0 && exit.reason != ExitReason::Code(0)) {
        let text =
            format!("The install needed more than {} MiB of memory. Use fewer or smaller packages.", memory >> 20);
        return Err(failed("dependencies.out_of_memory", text));
    }
    if exit.reason == ExitReason::Code(0) {
        return Ok(());
    }
    Err(explain_output(output))
}

fn explain_output(output: &[String]) -> Failed {
    let code = output.iter().find_map(|line| line.split_once("npm error code ")).map(|(_, code)| code.trim());
    let said = |needle: &str| {
        output
            .iter()
            .find(|line| line.contains(needle))
            .map(|line| line.trim_start_matches("npm error").trim().to_owned())
    };
    let tail = || output[output.len().saturating_sub(LAST_LINES)..].join("\n");
    match code {
        Some("E404") => failed(
            "dependencies.not_found",
            format!(
                "{} Check the package's name.",
                said("error 404 ").unwrap_or_else(|| "A package does not exist.".into())
            ),
        ),
        Some("ETARGET" | "EINVALIDTAGNAME" | "ENOVERSIONS") => failed(
            "dependencies.no_version",
            format!(
                "{} Choose a version that exists.",
                said("error notarget")
                    .or_else(|| said("No versions"))
                    .unwrap_or_else(|| "A package has no such version.".into())
            ),
        ),
        Some("ERESOLVE") => failed("dependencies.conflict", format!("The packages do not fit together:\n{}", tail())),
        Some("ENOSPC") => failed(
            "dependencies.disk",
            "There was no room left for the packages. Use fewer or smaller ones, or tell the operator.",
        ),
        Some("E403" | "ENOTFOUND" | "ECONNREFUSED" | "ETIMEDOUT" | "ECONNRESET" | "EAI_AGAIN" | "ENETUNREACH") => {
            failed(
                "dependencies.network",
                format!(
                    "A package could not be fetched. Packages come from the server's npm registry and from addresses its operator allows.\n{}",
                    tail()
                ),
            )
        }
        _ if output.iter().any(|line| line.contains("npm error command")) => failed(
            "dependencies.script_failed",
            format!("A package's install script failed. Its last lines:\n{}", tail()),
        ),
        _ => failed("dependencies.failed", format!("npm could not install the packages. Its last lines:\n{}", tail())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npms_failures_become_words_that_help() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let rows = [
            ("npm error code E404\nnpm error 404 'nope@*' is not in this registry.", "dependencies.not_found"),
            (
                "npm error code ETARGET\nnpm error notarget No matching version found for x@99.",
                "dependencies.no_version",
            ),
            ("npm error code ERESOLVE\nnpm error x", "dependencies.conflict"),
            ("npm error code ECONNREFUSED", "dependencies.network"),
            ("npm error code 1\nnpm error path /app\nnpm error command sh -c exit 1", "dependencies.script_failed"),
            ("something else", "dependencies.failed"),
        ];
        for (text, code) in rows {
            let why = explain_output(&lines(text));
            assert_eq!(why.code, code, "{text}");
            assert!(!why.message.contains("npm error code E404"), "{}", why.message);
        }
        assert!(explain_output(&lines(rows[0].0)).message.contains("'nope@*' is not in this registry"));
    }

    #[test]
    fn only_what_was_asked_for_is_listed() {
        let lock = r#"{"packages":{"":{},"node_modules/a":{"version":"1.2.3"},"node_modules/b":{"version":"2.0.0"}}}"#;
        let wanted = BTreeMap::from([("a".to_owned(), "^1".to_owned()), ("gone".to_owned(), "1".to_owned())]);
        assert_eq!(installed(lock, &wanted).unwrap(), [InstalledPackage { name: "a".into(), version: "1.2.3".into() }]);
        assert_eq!(installed("[", &wanted).unwrap_err().code, "dependencies.lockfile");
    }
}
