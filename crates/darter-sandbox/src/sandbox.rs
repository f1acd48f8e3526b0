//! A running sandbox, as the server holds it.
//!
//! Freezing, thawing, limits and usage go straight to control files whose descriptors the launcher handed over, so they
//! never wait behind a creation. None of these takes longer than a few writes to such files.

use std::fmt;
use std::net::TcpListener as StdListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::cgroup::{Knob, figures, limit_values};
use crate::client::Link;
use crate::egress::Egress;
use crate::error::SandboxError;
use crate::spec::{Bind, Limits};

/// How long processes are given to come to rest. One in an uninterruptible wait for a disk may need it.
const FREEZE_DEADLINE: Duration = Duration::from_secs(5);

/// How often the freezer is asked before waiting to be told.
const LOOKS: u32 = 20;

/// A running sandbox. Dropping it kills everything inside.
#[derive(Debug)]
pub struct Sandbox {
    link: Arc<Link>,
    id: u64,
    pid: i32,
    built_in: Duration,
    end: watch::Receiver<Option<Exit>>,
    knobs: [Option<OwnedFd>; 5],
    egress: Mutex<Option<Egress>>,
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

/// A clause for people: *it ended with code 2*.
impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "it ended with code {code}"),
            Self::Signal(number) => match signal(*number) {
                Some(what) => write!(f, "it was ended by signal {number} ({what})"),
                None => write!(f, "it was ended by signal {number}"),
            },
            Self::OutOfMemory => f.write_str("it needed more memory than it may use"),
            Self::Killed => f.write_str("it was ended by the platform"),
            Self::LauncherGone => f.write_str("it was ended together with the launcher"),
        }
    }
}

/// What a signal is called by people, for those that end programs often.
fn signal(number: i32) -> Option<&'static str> {
    match number {
        libc::SIGHUP => Some("hangup"),
        libc::SIGINT => Some("interrupted"),
        libc::SIGILL => Some("illegal instruction"),
        libc::SIGABRT => Some("aborted"),
        libc::SIGBUS => Some("bus error"),
        libc::SIGFPE => Some("arithmetic error"),
        libc::SIGKILL => Some("killed"),
        libc::SIGSEGV => Some("bad memory access"),
        libc::SIGPIPE => Some("broken pipe"),
        libc::SIGTERM => Some("asked to end"),
        libc::SIGXCPU => Some("out of CPU time"),
        libc::SIGSYS => Some("a system call that is not allowed"),
        _ => None,
    }
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

impl Sandbox {
    /// Takes over what the launcher handed out: the egress listener first, then one file per set bit of `controls`.
    pub(crate) fn new(
        link: Arc<Link>,
        (id, pid, built_in): (u64, i32, Duration),
        end: watch::Receiver<Option<Exit>>,
        (egress, controls, fds): (bool, u32, Vec<OwnedFd>),
    ) -> Result<Self, SandboxError> {
        let mut fds = fds.into_iter();
        let listener = if egress { fds.next() } else { None };
        let knobs = Knob::ALL.map(|knob| if controls & 1 << knob as u32 != 0 { fds.next() } else { None });
        // Made first: when the listener cannot be used, dropping this kills the sandbox.
        let sandbox = Self { link, id, pid, built_in, end, knobs, egress: Mutex::new(None) };
        if let Some(listener) = listener {
            let egress = Egress::new(StdListener::from(listener), sandbox.end.clone())
                .map_err(|error| SandboxError::control("watching the sandbox's proxy socket", error))?;
            *sandbox.egress.lock().unwrap_or_else(PoisonError::into_inner) = Some(egress);
        }
        Ok(sandbox)
    }

    /// Number of this sandbox, never used twice in the life of a launcher.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Host process id of the sandbox's first process, for logs.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How long the launcher took, from receiving the request until the workload was executed.
    pub fn built_in(&self) -> Duration {
        self.built_in
    }

    /// How it ended. May be called often and by many; resolves for all of them.
    pub async fn wait(&self) -> Exit {
        let mut end = self.end.clone();
        let gone = Exit { reason: ExitReason::LauncherGone, oom_kills: 0, usage: Usage::default() };
        let ended = end.wait_for(Option::is_some).await;
        ended.ok().and_then(|exit| *exit).unwrap_or(gone)
    }

    /// How it ended, when it has.
    pub fn ended(&self) -> Option<Exit> {
        *self.end.borrow()
    }

    /// Kills everything inside and waits until it is gone. Killing an ended sandbox is accepted.
    pub async fn kill(&self) -> Exit {
        if self.ended().is_none() {
            self.link.kill(self.id);
        }
        self.wait().await
    }

    /// Stops every process inside where it is; returns once all of them rest. Freezing a frozen one is accepted.
    pub async fn freeze(&self) -> Result<(), SandboxError> {
        let unified = self.link.hub.groups.freezer.as_ref().is_some_and(|group| group.unified);
        self.turn(Knob::Freeze, if unified { "1" } else { "FROZEN" }, "freezing")?;
        match tokio::time::timeout(FREEZE_DEADLINE, self.rests()).await {
            Ok(rests) => rests,
            Err(_) => {
                // Better awake than half asleep.
                self.thaw()?;
                let reason = "not at rest after five seconds: something inside waits for a disk".to_owned();
                Err(SandboxError::Control { what: "freezing".into(), reason })
            }
        }
    }

    /// Waits until every process rests. v2 tells when; v1 has to be asked.
    async fn rests(&self) -> Result<(), SandboxError> {
        let groups = &self.link.hub.groups;
        let frozen = || figures::frozen(groups, self.id).ok_or(SandboxError::Ended);
        // It takes some ten microseconds; being told takes longer than looking again.
        for _ in 0..LOOKS {
            if frozen()? {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        let Some(mut events) = figures::freezer_events(groups, self.id) else {
            while !frozen()? {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            return Ok(());
        };
        loop {
            if events.frozen().map_err(|_| SandboxError::Ended)? {
                return Ok(());
            }
            events.changed().await.map_err(|error| SandboxError::control("waiting for the freezer", error))?;
        }
    }

    /// Lets a frozen sandbox go on. One write; does not wait. Thawing one that is awake is accepted.
    pub fn thaw(&self) -> Result<(), SandboxError> {
        let unified = self.link.hub.groups.freezer.as_ref().is_some_and(|group| group.unified);
        self.turn(Knob::Freeze, if unified { "0" } else { "THAWED" }, "thawing")
    }

    /// Pages the anonymous memory of a (frozen) sandbox out, when there is swap.
    pub async fn reclaim(&self) -> Result<Reclaimed, SandboxError> {
        let bytes = self.link.reclaim(self.id).await?;
        Ok(bytes.map_or(Reclaimed::NoSwap, Reclaimed::Bytes))
    }

    /// What it uses now. Reads control files; a few microseconds each.
    pub fn usage(&self) -> Result<Usage, SandboxError> {
        if let Some(exit) = self.ended() {
            return Ok(exit.usage);
        }
        Ok(figures::usage(&self.link.hub.groups, self.id))
    }

    /// Processes inside that the kernel has ended for want of memory, so far.
    pub fn oom_kills(&self) -> u64 {
        self.ended().map_or_else(|| figures::oom_kills(&self.link.hub.groups, self.id), |exit| exit.oom_kills)
    }

    /// Moves the walls of CPU, memory and pids. `nofile` and `fsize` stay as created. Lowering memory below what is used
    /// and cannot be given back is refused by the kernel (v1) or ends the workload (v2).
    pub fn set_limits(&self, limits: &Limits) -> Result<(), SandboxError> {
        limits.check()?;
        for (knob, value, what) in limit_values(&self.link.hub.groups, limits) {
            self.turn(knob, &value, what)?;
        }
        Ok(())
    }

    /// Brings binds and volumes into the live sandbox. Every target must be one of `Root::attach_points`, or of
    /// `Root::writable_points` when it is to be written to, once.
    pub async fn attach(&self, binds: Vec<Bind>) -> Result<(), SandboxError> {
        self.link.attach(self.id, binds).await
    }

    /// The connections that programs inside make to [`EGRESS_ADDRESS`](crate::EGRESS_ADDRESS). Only the first call
    /// gets them; `None` when the spec asked for no egress.
    pub fn take_egress(&self) -> Option<Egress> {
        self.egress.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes to a control file.
    fn turn(&self, knob: Knob, value: &str, what: &str) -> Result<(), SandboxError> {
        let Some(file) = &self.knobs[knob as usize] else {
            // Without swap accounting there is no such wall to move.
            if knob == Knob::Swap {
                return Ok(());
            }
            return Err(SandboxError::Unsupported(format!("{what}: no cgroup controller for it; see `darter doctor`")));
        };
        match rustix::io::pwrite(file, value.as_bytes(), 0) {
            Ok(_) => Ok(()),
            // The group is gone.
            Err(rustix::io::Errno::NODEV) => Err(SandboxError::Ended),
            // v1 refuses a swap wall below the memory wall in between; the second write of the pair counts.
            Err(rustix::io::Errno::INVAL) if what == FIRST_OF_PAIR => Ok(()),
            Err(error) => Err(SandboxError::control(what, error.into())),
        }
    }
}

/// Of three writes (memory, swap, memory) that raise or lower two walls, the one that may come too early.
pub(crate) const FIRST_OF_PAIR: &str = "making room for the memory limit";

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.link.kill(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        for (reason, words) in [
            (ExitReason::Code(2), "it ended with code 2"),
            (ExitReason::Signal(9), "it was ended by signal 9 (killed)"),
            (ExitReason::Signal(31), "it was ended by signal 31 (a system call that is not allowed)"),
            (ExitReason::Signal(64), "it was ended by signal 64"),
            (ExitReason::OutOfMemory, "it needed more memory than it may use"),
        ] {
            assert_eq!(reason.to_string(), words);
        }
    }
}
