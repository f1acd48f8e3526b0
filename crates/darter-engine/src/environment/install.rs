//! Installs one environment into a new folder, from its kit. Nothing of it has a name until all of it is there.
//!
//! ```text
//! check ─► image ─► download ─► unpack ─► patch ─► packages (npm, pip) ─► steps ─► trim ─► warm ─► record ─► store (one rename)
//!          our own process: archives are checked and hold no links │ build sandbox: registries only, or no network
//! ```
//!
//! After the first program has run in the tree, our own process only reads it, and follows no link there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use darter_sandbox::{Bind, ExitReason};

use super::disk::{ABOUT, About, IMAGE, Layer, RECORD, ROOT, link_tree};
use super::image::System;
use super::progress::{InstallEvent, Progress};
use super::recipe::{Npm, Pip, Step};
use super::record::Record;
use super::source::Kit;
use super::{Tools, host, patch};
use crate::EngineConfig;
use crate::local::certificates;
use crate::local::job::{self, Ended, Job};
use crate::local::layout::Build;
use crate::local::runtime::{Downloads, npm_environment, unpack};

const DEADLINE: Duration = Duration::from_secs(1_800);
const WARM_DEADLINE: Duration = Duration::from_secs(600);
/// Lines of output that an error shows.
const LAST_LINES: usize = 30;
/// Inside: what is needed only while it is made.
const SCRATCH: &str = "/build";

/// Why it failed: a code and words for the operator.
#[derive(Debug)]
pub struct Failed {
    pub code: &'static str,
    pub message: String,
}

fn failed(code: &'static str) -> impl Fn(String) -> Failed {
    move |message| Failed { code, message }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        let message = format!("The environment could not be written to disk: {error}. Is the disk full?");
        Self { code: "environment.disk", message }
    }
}

/// One install.
pub struct Install<'a> {
    pub tools: &'a Tools,
    pub kit: &'a Kit,
    /// What it extends, installed.
    pub below: Vec<Layer>,
    pub progress: &'a Progress,
    pub number: u32,
    pub of: u32,
}

impl Install<'_> {
    /// Makes it at `target`; `about` is completed with its size.
    pub async fn run(&mut self, target: &Path, mut about: About) -> Result<About, Failed> {
        self.of = self.phases();
        self.phase("check", &self.kit.name.to_string());
        host::check(&self.kit.recipe.host).map_err(failed("environment.host"))?;
        let build = self.tools.layout.build("environment")?;
        if let (Some(origin), Some(own)) = (&self.kit.recipe.image, about.layers.last()) {
            about.system = Some(self.image(origin, &build, own.clone()).await?);
        }
        build.writable(ROOT)?;
        let tree = build.writable(&format!("{ROOT}/{}", self.kit.name))?;
        let scratch = build.writable("scratch")?;
        self.unpack(&tree).await?;
        self.lay(&tree)?;
        self.own(&tree)?;
        let room = Room { tree, scratch, system: about.system.clone().map(|system| self.stands_on(system, &build)) };
        self.fill(&room).await?;
        if room.system.is_some() {
            self.probe(&room, &about).await?;
        }
        self.share(&room).await?;
        self.phase("record", "");
        let record = record(room.tree.clone(), build.path().join(IMAGE)).await?;
        (about.bytes, about.files) = record.size();
        fs::write(build.path().join(RECORD), serde_json::to_vec(&record).map_err(std::io::Error::other)?)?;
        fs::write(build.path().join(ABOUT), serde_json::to_vec_pretty(&about).map_err(std::io::Error::other)?)?;
        self.phase("store", "");
        let below: Vec<_> = self.below.iter().map(|layer| (layer.name.to_string(), self.below_tree(layer))).collect();
        let (target, scratch) = (target.to_path_buf(), room.scratch);
        let stored = tokio::task::spawn_blocking(move || store(build, &scratch, &below, &target));
        stored.await.map_err(std::io::Error::other)??;
        Ok(about)
    }

    fn phases(&self) -> u32 {
        let recipe = &self.kit.recipe;
        let steps = recipe.npm.len() + recipe.pip.len() + recipe.step.len() + recipe.warm.len();
        let image = recipe.image.iter().map(|origin| 1 + usize::from(origin.reference.is_some())).sum::<usize>();
        let others = 3 + usize::from(!recipe.patch.is_empty()) + usize::from(!recipe.trim.is_empty()) + image;
        u32::try_from(steps + others + 2 * recipe.download.len()).unwrap_or(u32::MAX)
    }

    /// An image of this install is still in its build.
    fn stands_on(&self, system: System, build: &Build) -> Base {
        let own = self.kit.recipe.image.is_some();
        let folder = if own { build.path().join(IMAGE) } else { system.layer.image(&self.tools.layout.environments) };
        Base { folder, system }
    }

    pub(super) fn phase(&mut self, name: &str, what: &str) {
        self.number += 1;
        let (name, what) = (name.to_owned(), what.to_owned());
        self.progress.say(InstallEvent::Phase { name, what, number: self.number, of: self.of });
    }

    async fn unpack(&mut self, tree: &Path) -> Result<(), Failed> {
        let config = &self.tools.config;
        let downloads =
            Downloads::new(&self.tools.layout.downloads, &config.npm_registry, config.certificates.as_deref())
                .map_err(failed("environment.download"))?;
        for (what, download) in &self.kit.recipe.download {
            self.phase("download", what);
            let report = |bytes, total| {
                self.progress.say(InstallEvent::Download { what: what.clone(), bytes, total });
            };
            let file = downloads.fetch(download, &report).await.map_err(failed("environment.download"))?;
            self.phase("unpack", what);
            let (files, into) = (download.files.clone(), tree.to_path_buf());
            let unpacked = tokio::task::spawn_blocking(move || unpack(file, &files, &into));
            unpacked.await.map_err(std::io::Error::other)??;
        }
        Ok(())
    }

    /// The recipe's own files, and its patches.
    fn lay(&mut self, tree: &Path) -> Result<(), Failed> {
        for (from, to) in &self.kit.recipe.files {
            let mut any = false;
            for (rest, content) in self.kit.below(from) {
                any = true;
                let path = if rest.is_empty() { tree.join(to) } else { tree.join(to).join(rest) };
                fs::create_dir_all(path.parent().unwrap_or(tree))?;
                write(&path, content)?;
            }
            if !any {
                return Err(failed("environment.recipe")(format!("[files]: there is no {from} beside the recipe")));
            }
        }
        for npm in &self.kit.recipe.npm {
            let into = tree.join(&npm.into);
            fs::create_dir_all(&into)?;
            // npm takes this one before any other, and it is the archive's own.
            let theirs = into.join("npm-shrinkwrap.json");
            if theirs.exists() {
                fs::remove_file(theirs)?;
            }
            for name in ["package.json", "package-lock.json"] {
                fs::write(into.join(name), self.beside(&format!("{}/{name}", npm.lock))?)?;
            }
        }
        if !self.kit.recipe.patch.is_empty() {
            self.phase("patch", "");
        }
        patch::apply(tree, &self.kit.recipe.patch).map_err(failed("environment.patch"))
    }

    fn beside(&self, path: &str) -> Result<&[u8], Failed> {
        let missing = || failed("environment.recipe")(format!("there is no {path} beside the recipe"));
        self.kit.files.get(path).map(Vec::as_slice).ok_or_else(missing)
    }

    /// Gives what we unpacked to the account that sandboxes write as. No program has run in the tree yet.
    pub(super) fn own(&self, tree: &Path) -> Result<(), Failed> {
        let Some((uid, gid)) = self.tools.config.files_owner else { return Ok(()) };
        let mut waiting = vec![tree.to_path_buf()];
        while let Some(path) = waiting.pop() {
            std::os::unix::fs::lchown(&path, Some(uid), Some(gid))?;
            if fs::symlink_metadata(&path)?.is_dir() {
                for entry in fs::read_dir(&path)? {
                    waiting.push(entry?.path());
                }
            }
        }
        Ok(())
    }

    async fn fill(&mut self, room: &Room) -> Result<(), Failed> {
        let recipe = &self.kit.recipe;
        for npm in &recipe.npm {
            self.npm(room, npm).await?;
        }
        for pip in &recipe.pip {
            self.pip(room, pip).await?;
        }
        for step in &recipe.step {
            self.phase("step", &step.title);
            self.step(room, step).await?;
        }
        if !recipe.trim.is_empty() {
            self.phase("trim", "");
            let script = "shopt -s globstar nullglob dotglob; for one in \"$@\"; do rm -rf -- $one; done";
            let argv = ["/bin/bash", "-c", script, "trim"].map(str::to_owned).into_iter().chain(recipe.trim.clone());
            self.job(room, Task::new(self.home(), argv.collect())).await?;
        }
        for step in &recipe.warm {
            self.phase("warm", &step.title);
            self.step(room, step).await?;
        }
        Ok(())
    }

    /// Workspaces run as other accounts than the install did, and what programs write for themselves is often for their own
    /// account only: Node's compiled code is. An image need not bring more than a shell.
    async fn share(&self, room: &Room) -> Result<(), Failed> {
        let argv = ["/bin/sh", "-ec", "! command -v chmod >/dev/null || chmod -R a+rX ."].map(str::to_owned).into();
        self.job(room, Task::new(self.home(), argv)).await
    }

    fn below_tree(&self, layer: &Layer) -> PathBuf {
        layer.tree(&self.tools.layout.environments)
    }

    /// The environment's folder inside.
    fn home(&self) -> String {
        format!("/env/{}", self.kit.name)
    }

    async fn npm(&mut self, room: &Room, npm: &Npm) -> Result<(), Failed> {
        self.phase("packages", &npm.lock);
        let folder = format!("{}/{}", self.home(), npm.into);
        let command = |words: &[&str]| -> Vec<String> {
            ["/runtime/bin/node", "/runtime/npm/bin/npm-cli.js"]
                .iter()
                .chain(words)
                .map(|word| (*word).to_owned())
                .collect()
        };
        let ci = command(&["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]);
        let task = |argv| Task { network: true, variables: npm.variables.clone(), ..Task::new(folder.clone(), argv) };
        self.job(room, task(ci)).await?;
        if !npm.scripts.is_empty() {
            self.phase("packages", &npm.scripts.join(" "));
            let words: Vec<&str> = ["rebuild"].into_iter().chain(npm.scripts.iter().map(String::as_str)).collect();
            self.job(room, task(command(&words))).await?;
        }
        Ok(())
    }

    async fn pip(&mut self, room: &Room, pip: &Pip) -> Result<(), Failed> {
        self.phase("packages", &pip.requirements);
        let requirements = self.beside(&pip.requirements)?;
        // Written by us into a folder that a program may have filled: as a new file, never through a link.
        let list = room.scratch.join(format!("requirements-{}.txt", self.number));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(list)?;
        file.write_all(requirements)?;
        let script = format!(
            "test -d {into} || /usr/bin/python3 -m venv --without-pip --system-site-packages {into}\nexec /usr/bin/python3 -m pip --python {into}/bin/python3 install --ignore-installed --require-hashes --only-binary :all: --no-compile --no-deps -r {SCRATCH}/requirements-{number}.txt",
            into = pip.into,
            number = self.number
        );
        let argv = ["/bin/sh", "-ec", &script].map(str::to_owned).into();
        self.job(room, Task { network: true, ..Task::new(self.home(), argv) }).await
    }

    async fn step(&self, room: &Room, step: &Step) -> Result<(), Failed> {
        let variables = step.variables.clone();
        let task = Task { network: step.network, variables, ..Task::new(self.home(), step.argv.clone()) };
        match self.job(room, task).await {
            Err(error) if step.optional => {
                tracing::warn!(environment = %self.kit.name, step = step.title, error = error.message, "a step that only saves time has failed");
                Ok(())
            }
            done => done,
        }
    }

    /// Runs a program in the build sandbox to its good end.
    pub(super) async fn job(&self, room: &Room, task: Task) -> Result<(), Failed> {
        let config = &self.tools.config;
        let mut binds = self.tools.runtime_binds.clone();
        let below = self.below.iter();
        binds.extend(below.map(|layer| Bind::read_only(self.below_tree(layer), format!("/env/{}", layer.name))));
        binds.push(Bind::writable(&room.tree, self.home()));
        binds.push(Bind::writable(&room.scratch, SCRATCH));
        binds.extend(task.binds);
        let mut env = self.environment(task.variables);
        let binds = match &room.system {
            Some(base) => base.tell(config, binds, &mut env),
            None => certificates::with(binds, config),
        };
        let program = task.argv.join(" ");
        let enter = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", &task.folder].map(str::to_owned);
        let job = Job {
            argv: enter.into_iter().chain(task.argv).collect(),
            cwd: "/tmp",
            env: env.into_iter().collect(),
            binds,
            limits: job::limits(4_000, config.environments.memory_bytes, 512),
            proxy: task.network.then(|| self.tools.proxy.clone()),
            timeout: if task.network { DEADLINE } else { WARM_DEADLINE },
            quota: None,
            system: room.system.as_ref().map(|base| base.folder.clone()),
        };
        let mut last: Vec<String> = Vec::new();
        let ended = job.run(&self.tools.launcher, |line| {
            if last.len() == LAST_LINES {
                last.remove(0);
            }
            last.push(line.clone());
            self.progress.say(InstallEvent::Output { line });
        });
        let why = match ended.await.map_err(|error| failed("environment.sandbox")(error.to_string()))? {
            Ended::Exit(exit) if exit.reason == ExitReason::Code(0) => return Ok(()),
            Ended::Exit(exit) if exit.oom_kills > 0 => {
                format!("it needed more than {} MiB of memory", config.environments.memory_bytes >> 20)
            }
            other => other.to_string(),
        };
        let shown: String = program.chars().take(200).collect();
        Err(failed("environment.step")(format!("`{shown}` failed: {why}. The last lines:\n{}", last.join("\n"))))
    }

    fn environment(&self, own: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let config = &self.tools.config;
        let mut all: BTreeMap<String, String> = npm_environment(config).into_iter().collect();
        let index = config.pypi_index.clone();
        let certificates = all.get("SSL_CERT_FILE").cloned();
        for (name, value) in [
            ("npm_config_cache", format!("{SCRATCH}/npm")),
            ("TMPDIR", SCRATCH.to_owned()),
            ("PIP_CACHE_DIR", format!("{SCRATCH}/pip")),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
            ("PIP_NO_INPUT", "1".into()),
            ("PIP_PROGRESS_BAR", "off".into()),
        ] {
            all.insert(name.into(), value);
        }
        if !index.is_empty() {
            all.insert("PIP_INDEX_URL".into(), index);
        }
        if let Some(file) = certificates {
            all.insert("PIP_CERT".into(), file);
        }
        all.extend(own);
        all
    }
}

/// Where an install happens, on this machine.
pub(super) struct Room {
    tree: PathBuf,
    scratch: PathBuf,
    system: Option<Base>,
}

/// The image that it stands on.
struct Base {
    folder: PathBuf,
    system: System,
}

impl Base {
    /// What its programs are told; certificates lie beside it, for its `/etc` is its own.
    fn tell(&self, config: &EngineConfig, mut binds: Vec<Bind>, env: &mut BTreeMap<String, String>) -> Vec<Bind> {
        if let Some((place, bind)) = certificates::beside(config) {
            binds.push(bind);
            for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "PIP_CERT"] {
                env.insert(name.into(), place.into());
            }
        }
        for (name, value) in &self.system.variables {
            env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if !self.system.path.is_empty() {
            env.insert("PATH".into(), format!("/runtime/bin:{}", self.system.path.join(":")));
        }
        binds
    }
}

/// A program to run.
pub(super) struct Task {
    pub folder: String,
    pub argv: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub network: bool,
    pub binds: Vec<Bind>,
}

impl Task {
    pub fn new(folder: String, argv: Vec<String>) -> Self {
        Self { folder, argv, variables: BTreeMap::new(), network: false, binds: Vec::new() }
    }
}

/// A script may be run; the recipe says nothing of modes.
fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mode = if content.starts_with(b"#!") { 0o755 } else { 0o644 };
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(content)
}

/// Hashes the tree, and the image if there is one.
pub async fn record(tree: PathBuf, image: PathBuf) -> std::io::Result<Record> {
    let read = tokio::task::spawn_blocking(move || Record::of(&tree)?.with_image(&image));
    read.await.map_err(std::io::Error::other)?
}

fn store(build: Build, scratch: &Path, below: &[(String, PathBuf)], target: &Path) -> std::io::Result<()> {
    crate::local::layout::remove_tree(scratch)?;
    for (name, tree) in below {
        link_tree(tree, &build.path().join(ROOT).join(name))?;
    }
    build.finish(target)
}
