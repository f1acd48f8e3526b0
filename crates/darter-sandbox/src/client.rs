//! The server's side of the launcher: asks for sandboxes, steers them, hears how they end.
//!
//! Freezing, thawing, limits and usage go straight to control files whose descriptors the launcher handed over, so they
//! never wait behind a creation. Never blocks a tokio thread longer than one write to such a file takes.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::error::SandboxError;
use crate::spec::{Bind, Limits, Spec};

/// Talks to the launcher process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LauncherClient {}

impl LauncherClient {
    /// Builds a sandbox and starts its program. Returns once the program has been executed. Dropping the future
    /// half-way leaves nothing behind: a sandbox nobody waits for is killed.
    pub async fn create(&self, spec: Spec) -> Result<Sandbox, SandboxError> {
        spec.check()?;
        Err(SandboxError::LauncherGone)
    }

    /// What this machine lets the launcher do.
    pub fn abilities(&self) -> &Abilities {
        unreachable!("a client exists only after the launcher has answered")
    }

    /// Resolves when the launcher process has died (then every sandbox is gone too).
    pub async fn gone(&self) {
        std::future::pending::<()>().await
    }
}

/// What the launcher found when it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Runs as root: a range of user ids per sandbox.
    pub privileged: bool,
    /// Where each controller lives (`memory: v1 /sys/fs/cgroup/memory/…`), or why it is missing.
    pub controllers: Vec<(String, String)>,
    /// Sandboxes can be frozen.
    pub freezer: bool,
    /// Swap exists, so [`Sandbox::reclaim`] has somewhere to put pages.
    pub swap: bool,
    /// Landlock's ABI version; 0 when absent.
    pub landlock: u32,
}

/// A running sandbox. Dropping it kills everything inside.
#[derive(Debug)]
pub struct Sandbox {}

impl Sandbox {
    /// Number of this sandbox, never used twice in the life of a launcher.
    pub fn id(&self) -> u64 {
        0
    }

    /// Host process id of the sandbox's first process, for logs.
    pub fn pid(&self) -> i32 {
        0
    }

    /// How long the launcher took to build it.
    pub fn built_in(&self) -> Duration {
        Duration::ZERO
    }

    /// How it ended. May be called often and by many; resolves for all of them.
    pub async fn wait(&self) -> Exit {
        std::future::pending().await
    }

    /// How it ended, when it has.
    pub fn ended(&self) -> Option<Exit> {
        None
    }

    /// Kills everything inside and waits until it is gone. Killing an ended sandbox is accepted.
    pub async fn kill(&self) -> Exit {
        std::future::pending().await
    }

    /// Stops every process inside where it is; returns once all of them rest.
    pub async fn freeze(&self) -> Result<(), SandboxError> {
        Err(SandboxError::Ended)
    }

    /// Lets a frozen sandbox go on. One write; does not wait.
    pub fn thaw(&self) -> Result<(), SandboxError> {
        Err(SandboxError::Ended)
    }

    /// Pages the anonymous memory of a (frozen) sandbox out, when there is swap.
    pub async fn reclaim(&self) -> Result<Reclaimed, SandboxError> {
        Err(SandboxError::Ended)
    }

    /// What it uses now. Reads control files; a few microseconds each.
    pub fn usage(&self) -> Result<Usage, SandboxError> {
        Err(SandboxError::Ended)
    }

    /// Moves the walls of CPU, memory and pids. `nofile` and `fsize` stay as created.
    pub fn set_limits(&self, limits: &Limits) -> Result<(), SandboxError> {
        limits.check()
    }

    /// Brings read-only binds into the live sandbox. Every target must be one of `Root::attach_points`, once.
    pub async fn attach(&self, binds: Vec<Bind>) -> Result<(), SandboxError> {
        let _ = binds;
        Err(SandboxError::Ended)
    }

    /// The connections that programs inside make to [`EGRESS_ADDRESS`](crate::EGRESS_ADDRESS). Only the first call
    /// gets them; `None` when the spec asked for no egress.
    pub fn take_egress(&self) -> Option<Egress> {
        None
    }
}

/// Connections from inside a sandbox to its proxy address.
#[derive(Debug)]
pub struct Egress {}

impl Egress {
    /// The next connection, or `None` once the sandbox has ended. At most 256 are open at a time; further ones wait
    /// in the backlog inside the sandbox.
    pub async fn accept(&mut self) -> Option<Tunnel> {
        None
    }
}

/// One connection from inside. Every byte of it is hostile.
#[derive(Debug)]
pub struct Tunnel {
    stream: TcpStream,
}

impl Tunnel {
    /// The connection (`AsyncRead + AsyncWrite`; a socket of the sandbox's own network namespace).
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

/// How a sandbox ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Why.
    pub reason: ExitReason,
    /// Processes killed for want of memory while it lived.
    pub oom_kills: u64,
    /// Last figures.
    pub usage: Usage,
}

/// Why a sandbox ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// The workload exited.
    Code(i32),
    /// A signal ended the workload.
    Signal(i32),
    /// The memory limit was reached and the kernel ended the workload.
    OutOfMemory,
    /// We ended it ([`Sandbox::kill`] or dropping it).
    Killed,
    /// The launcher died.
    LauncherGone,
}

/// What a sandbox uses or has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes charged now.
    pub memory: u64,
    /// Most bytes ever charged.
    pub memory_peak: u64,
    /// CPU time of everything inside, microseconds.
    pub cpu_usec: u64,
    /// Processes and threads now.
    pub pids: u64,
}

/// What [`Sandbox::reclaim`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reclaimed {
    /// This many bytes fewer are charged than before.
    Bytes(u64),
    /// There is no swap on this machine, so nothing was done.
    NoSwap,
}
