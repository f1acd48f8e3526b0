//! Runs one program in a build sandbox to its end: the walls, the way out, the time limit, its output line by line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use darter_sandbox::{Bind, Exit, LauncherClient, Limits, Profile, Root, SandboxError, Scratch, Spec};

use super::output;
use super::quota::{Excess, Quota};
use crate::egress::Proxy;

/// What to run.
pub struct Job {
    pub argv: Vec<String>,
    pub cwd: &'static str,
    pub env: Vec<(String, String)>,
    pub binds: Vec<Bind>,
    pub limits: Limits,
    /// The way out; none: no network at all.
    pub proxy: Option<Proxy>,
    pub timeout: Duration,
    /// How much it may leave behind; none: its binds are bounded otherwise.
    pub quota: Option<Quota>,
    /// An unpacked image whose folders it sees instead of this machine's.
    pub system: Option<PathBuf>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Exit(Exit),
    TimedOut,
    /// It has filled its folder, or the disk.
    Excess(Excess),
}

/// A clause for people: *it took too long*.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(exit) => exit.reason.fmt(f),
            Self::TimedOut => f.write_str("it took too long"),
            Self::Excess(_) => f.write_str("it left more behind than it may"),
        }
    }
}

/// Variables that every job gets.
pub fn environment(certificates: Option<&str>) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = [
        ("PATH", "/runtime/bin:/usr/local/bin:/usr/bin:/bin"),
        ("HOME", "/tmp"),
        ("TZ", "UTC"),
        ("LANG", "C.UTF-8"),
        ("CI", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        env.push((name.into(), format!("http://{}", darter_sandbox::EGRESS_ADDRESS)));
    }
    if let Some(path) = certificates {
        for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
            env.push((name.into(), path.to_owned()));
        }
    }
    env
}

/// A system's tools and libraries, and these binds.
pub fn root(system: Root, binds: Vec<Bind>, scratch: u64) -> Root {
    let mut root = system;
    root.tmp = Scratch { size: scratch, inodes: 65_536 };
    root.work = Scratch { size: scratch, inodes: 65_536 };
    root.binds.extend(binds);
    root
}

/// Walls for jobs of this size.
pub fn limits(cpu_millis: u32, memory: u64, pids: u32) -> Limits {
    Limits { cpu_millis, memory, pids, nofile: 16_384, fsize: 1 << 30 }
}

impl Job {
    /// Runs it. Dropping the future ends the program.
    pub async fn run(self, launcher: &LauncherClient, each: impl FnMut(String)) -> Result<Ended, SandboxError> {
        let broken =
            |error: std::io::Error| SandboxError::Build { step: "making a pipe".into(), reason: error.to_string() };
        let unreadable =
            |error: std::io::Error| SandboxError::Build { step: "reading an image".into(), reason: error.to_string() };
        let system = self.system.as_deref().map_or_else(|| Ok(Root::host_system()), Root::image_system);
        let (inside, ours) = output::pipe().map_err(broken)?;
        let spec = Spec {
            root: root(system.map_err(unreadable)?, self.binds, 256 << 20),
            argv: self.argv,
            env: self.env,
            cwd: PathBuf::from(self.cwd),
            fds: Vec::new(),
            limits: self.limits,
            profile: Profile::Build,
            hostname: "build".into(),
            egress: self.proxy.is_some(),
        };
        let second = inside.try_clone().map_err(broken)?;
        let sandbox = launcher.create(spec.fd(1, inside).fd(2, second)).await?;
        if let (Some(proxy), Some(egress)) = (self.proxy, sandbox.take_egress()) {
            tokio::spawn(proxy.serve(egress));
        }
        // A grandchild may hold the pipe after the program's end, so the end is waited for on its own.
        let reading = output::lines(ours, each);
        tokio::pin!(reading);
        let ending = tokio::time::timeout(self.timeout, async {
            tokio::select! {
                () = &mut reading => sandbox.wait().await,
                exit = sandbox.wait() => exit,
            }
        });
        let passed = async {
            match self.quota {
                Some(quota) => quota.passed().await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = ending => ended.map_or(Ended::TimedOut, Ended::Exit),
            excess = passed => Ended::Excess(excess),
        };
        sandbox.kill().await;
        Ok(ended)
    }
}
