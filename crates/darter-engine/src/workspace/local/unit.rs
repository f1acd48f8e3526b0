//! A started sandbox for a workspace: its attendant answers, its editor may be waiting warm, and it belongs to nobody yet.
//!
//! A unit becomes one workspace's and is then never anything else.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use darter_core::workspace::WorkspaceLimits;
use darter_sandbox::{Bind, LISTEN_FD, LauncherClient, Limits, Profile, Root, Sandbox, SandboxError, Scratch, Spec};
use http::Method;
use serde_json::{Value, json};
use tokio::net::unix::pipe::Receiver;

use super::attendant::{Attendant, Trouble};
use super::doors::{Doors, Hall};
use super::home::{Fresh, Homes};
use super::shell;
use crate::environment::InstalledEnvironment;
use crate::local::output;

/// Where a home is inside.
pub(super) const HOME: &str = "/home/user";
/// Where the environment is inside.
const ENVIRONMENT: &str = "/env";
/// Where the attendant's program is inside.
pub(crate) const PROGRAM: &str = "/darter/attendant";
/// The descriptor of the editor's listening socket.
const EDITOR_FD: i32 = 5;

/// An attendant that has not answered by then never will.
const HELLO: Duration = Duration::from_secs(20);
/// What is kept of the words of an attendant.
const LINES: usize = 20;

/// The attendant's program on the host, and what it is called with.
#[derive(Debug, Clone)]
pub struct AttendantProgram {
    /// Absolute, without links, and under a folder that the launcher may show.
    pub file: PathBuf,
    /// After the program's name, e.g. `attendant`.
    pub arguments: Vec<String>,
}

impl AttendantProgram {
    /// This very program: `darter attendant`. The launcher of [`LauncherConfig::for_data_dir`] may show it.
    ///
    /// [`LauncherConfig::for_data_dir`]: darter_sandbox::LauncherConfig::for_data_dir
    pub fn this() -> std::io::Result<Self> {
        Ok(Self { file: std::env::current_exe()?.canonicalize()?, arguments: vec!["attendant".into()] })
    }
}

/// A sandbox in which an attendant answers.
pub(super) struct Unit {
    pub(super) sandbox: Sandbox,
    pub(super) attendant: Attendant,
    pub(super) environment: Arc<InstalledEnvironment>,
    /// How long the sandbox and the attendant took.
    pub(super) built: (Duration, Duration),
    /// Its last words, for whoever asks why it ended.
    pub(super) words: Words,
    /// A freeze is being carried out.
    pub(super) freezing: AtomicBool,
    /// The empty home that it waits with.
    pub(super) fresh: Mutex<Option<Fresh>>,
}

/// The last lines that something wrote.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Arc<Mutex<VecDeque<String>>>);

impl Words {
    fn hear(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn last(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Makes units.
#[derive(Debug, Clone)]
pub(super) struct Builder {
    pub(super) launcher: LauncherClient,
    pub(super) hall: Hall,
    pub(super) program: AttendantProgram,
    pub(super) tmp_bytes: u64,
    pub(super) homes: Arc<Homes>,
}

/// The walls of a workspace.
fn limits(limits: &WorkspaceLimits) -> Limits {
    Limits {
        cpu_millis: limits.cpu_millis,
        memory: limits.memory_bytes,
        pids: limits.pids,
        nofile: 65_536,
        // The home is the wall; one file may fill it.
        fsize: 1 << 44,
    }
}

impl Builder {
    /// Builds one that is to wait: with an empty home, so that a new workspace has nothing to wait for.
    pub(super) async fn build_ahead(&self, environment: &Arc<InstalledEnvironment>) -> Result<Unit, SandboxError> {
        let fresh = self.homes.fresh_home().await;
        let broken =
            |error: std::io::Error| SandboxError::Build { step: "making a home".into(), reason: error.to_string() };
        self.make(environment, fresh.map_err(broken)?).await
    }

    /// Builds one for somebody who waits.
    pub(super) async fn build(&self, environment: &Arc<InstalledEnvironment>) -> Result<Unit, SandboxError> {
        self.make(environment, None).await
    }

    /// Waits until its attendant answers.
    async fn make(&self, environment: &Arc<InstalledEnvironment>, fresh: Option<Fresh>) -> Result<Unit, SandboxError> {
        let broken = |step: &'static str| {
            move |error: std::io::Error| SandboxError::Build { step: step.into(), reason: error.to_string() }
        };
        let born = Instant::now();
        let (doors, attendant, editor) = Doors::make(&self.hall).map_err(broken("making a workspace's sockets"))?;
        let (out, ours) = output::pipe().map_err(broken("making a pipe"))?;
        let second = out.try_clone().map_err(broken("making a pipe"))?;
        let mut spec = self.spec(environment).map_err(broken("reading an image"))?;
        spec.root.binds.extend(fresh.as_ref().map(Fresh::bind));
        let spec = spec.fd(1, out).fd(2, second).fd(LISTEN_FD, attendant).fd(EDITOR_FD, editor);
        let sandbox = self.launcher.create(spec).await?;
        let made = born.elapsed();
        let words = Words::default();
        tokio::spawn(listen(ours, words.clone()));
        let unit = Unit {
            sandbox,
            attendant: Attendant(Arc::new(doors)),
            environment: Arc::clone(environment),
            built: (made, Duration::ZERO),
            words,
            freezing: AtomicBool::new(false),
            fresh: Mutex::new(fresh),
        };
        unit.greet().await.map_err(|reason| SandboxError::Build { step: "starting the attendant".into(), reason })?;
        let greeted = born.elapsed().saturating_sub(made);
        Ok(Unit { built: (made, greeted), ..unit })
    }

    fn spec(&self, environment: &InstalledEnvironment) -> std::io::Result<Spec> {
        let proxy = format!("http://{}", darter_sandbox::EGRESS_ADDRESS);
        let mut env: Vec<(String, String)> = [
            ("PATH", "/env/bin:/usr/local/bin:/usr/bin:/bin"),
            ("HOME", HOME),
            ("USER", "user"),
            ("SHELL", "/bin/bash"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("http_proxy", &proxy),
            ("https_proxy", &proxy),
            ("HTTP_PROXY", &proxy),
            ("HTTPS_PROXY", &proxy),
            ("no_proxy", "localhost,127.0.0.1,::1"),
            ("NO_PROXY", "localhost,127.0.0.1,::1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.retain(|(name, _)| !environment.env.iter().any(|(own, _)| own == name));
        env.extend(environment.env.iter().cloned());
        Ok(Spec {
            root: self.root(environment)?,
            argv: [PROGRAM.to_owned()].into_iter().chain(self.program.arguments.iter().cloned()).collect(),
            env,
            cwd: "/".into(),
            fds: Vec::new(),
            limits: limits(&WorkspaceLimits::default()),
            profile: Profile::Workspace,
            hostname: "workspace".into(),
            egress: true,
        })
    }

    fn root(&self, environment: &InstalledEnvironment) -> std::io::Result<Root> {
        // An image has had its own `/etc` made the same way when it was installed.
        let system = environment.system.as_deref();
        let mut root = system.map_or_else(|| Ok(Root::host_system()), Root::image_system)?;
        root.binds.push(Bind::read_only(&environment.root, ENVIRONMENT));
        root.binds.push(Bind::read_only(&self.program.file, PROGRAM));
        root.writable_points.push(HOME.into());
        if system.is_none() {
            root.files.extend(shell::files());
        }
        root.tmp = Scratch { size: self.tmp_bytes, inodes: 262_144 };
        for file in &mut root.files {
            if file.at.as_os_str() == "/etc/passwd" {
                file.content =
                    b"root:x:0:0::/nonexistent:/bin/false\nuser:x:1000:1000::/home/user:/bin/bash\n".to_vec();
            }
            if file.at.as_os_str() == "/etc/hosts" {
                file.content.extend(b"127.0.0.1 workspace\n");
            }
        }
        Ok(root)
    }
}

async fn listen(from: Receiver, words: Words) {
    output::lines(from, |line| words.hear(line)).await;
}

impl Unit {
    /// Sets the walls of a workspace. A plain user's machine may have none to set: `doctor` says so, and such a server is one
    /// user's own.
    pub(super) fn set_walls(&self, wanted: &WorkspaceLimits) -> Result<(), SandboxError> {
        match self.sandbox.set_limits(&limits(wanted)) {
            Ok(()) | Err(SandboxError::Unsupported(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The empty home that it has waited with; given out once.
    pub(super) fn take_fresh(&self) -> Option<Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until the attendant answers, and has its editor begin to load when it can wait warm.
    async fn greet(&self) -> Result<(), String> {
        let hello = self.attendant.ask(Method::GET, "/v1/health", Value::Null, HELLO);
        let said = tokio::select! {
            said = hello => said,
            exit = self.sandbox.wait() => Err(Trouble::Silent(exit.reason.to_string())),
        };
        if let Err(error) = said {
            self.sandbox.kill().await;
            return Err(format!("{error}. It wrote: {}", self.words.last().join("\n")));
        }
        if self.environment.warm {
            let warm = self.attendant.post("/v1/editor/warm", json!({"editor": self.recipe()}), HELLO).await;
            if let Err(error) = warm {
                // It starts the slow way then.
                tracing::warn!(environment = %self.environment.name, %error, "an editor could not be started ahead");
            }
        }
        Ok(())
    }

    /// How the editor starts, as the attendant wants it.
    pub(super) fn recipe(&self) -> Value {
        let environment = &self.environment;
        let variables: serde_json::Map<String, Value> =
            environment.env.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        json!({
            "argv": environment.argv,
            "variables": variables,
            "descriptor": environment.descriptor,
            "ready": environment.ready,
        })
    }
}
