//! What happens inside a sandbox between its birth and its programs: the first process builds the walls around itself,
//! starts the workload behind more of them, and becomes the agent.
//!
//! Runs with the launcher's privileges until the workload is let go, and never before the tenant's first instruction.

mod processes;
mod rootfs;
mod workload;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::launcher::protocol::{Failure, Plan};
use crate::seccomp::Program;
use crate::{privileges, sys};

pub(crate) use rootfs::DEVICES;

/// What was being done, and the kernel's answer.
pub(crate) type Failed = (String, io::Error);

/// Turns a system call's error into a failed step.
pub(crate) fn at(step: impl Into<String>) -> impl FnOnce(io::Error) -> Failed {
    move |error| (step.into(), error)
}

/// The host user ids of one sandbox (in the launcher's own user namespace).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) workload: u32,
    pub(crate) agent: u32,
    /// Whether the two differ from the launcher's, that is whether it is root.
    pub(crate) own: bool,
}

/// All that the first process is given.
pub(crate) struct Inside<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) ids: Ids,
    /// Detached mounts, in the order of `plan.root.binds`.
    pub(crate) binds: Vec<OwnedFd>,
    /// Detached mounts of [`DEVICES`], when nodes cannot be made.
    pub(crate) devices: Vec<OwnedFd>,
    /// `tasks` files of the cgroups to join.
    pub(crate) join: Vec<OwnedFd>,
    /// The descriptors of `plan.fd_numbers`.
    pub(crate) fds: Vec<OwnedFd>,
    /// One byte says that the network is ready; its end that nobody is waiting for us any more.
    pub(crate) gate: OwnedFd,
    /// [`spare`] descriptors, like the next two.
    pub(crate) report: Report,
    pub(crate) lifeline: OwnedFd,
    pub(crate) agent: BorrowedFd<'a>,
    pub(crate) agent_filter: &'a Program,
    pub(crate) workload_filter: &'a Program,
    pub(crate) landlock: u32,
    /// There is no pids controller, so the resource limit has to do.
    pub(crate) count_processes: bool,
}

/// Where a failing step is told. Closed by exec: its end without a word means success.
pub(crate) struct Report(pub(crate) OwnedFd);

impl Report {
    /// Says what failed and leaves.
    fn give_up(&self, kind: u8, (step, error): Failed) -> ! {
        let mut text = vec![kind];
        text.extend(error.raw_os_error().unwrap_or(0).to_le_bytes());
        text.extend(step.bytes().take(800));
        if error.raw_os_error().is_none() {
            text.extend(format!(": {error}").bytes().take(800));
        }
        // Nobody is left to tell when even this fails; the exit is seen anyway.
        let _ = rustix::io::write(&self.0, &text);
        sys::exit_now(127)
    }

    /// Reads the other end of what [`Report::give_up`] wrote.
    pub(crate) fn parse(text: &[u8], program: &str) -> Option<Failure> {
        let (kind, rest) = text.split_first()?;
        let (number, step) = rest.split_first_chunk::<4>()?;
        let step = String::from_utf8_lossy(step).into_owned();
        let reason = match i32::from_le_bytes(*number) {
            0 => String::from("see the step"),
            number => explain(&io::Error::from_raw_os_error(number)),
        };
        Some(match kind {
            b'X' => Failure::Exec { program: program.to_owned(), reason },
            _ => Failure::Build { step, reason },
        })
    }
}

/// The kernel's answer with what usually helps.
pub(crate) fn explain(error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM) => "; the launcher lacks a privilege: run as root, or allow user namespaces for this program",
        Some(libc::ENOSPC) => {
            "; a kernel limit on namespaces or mounts is reached: see /proc/sys/user/max_*_namespaces"
        }
        Some(libc::ENOENT) => "; a file is missing (of a program: it, its interpreter or its dynamic loader)",
        Some(libc::EMFILE | libc::ENFILE) => "; too many open files: raise the server's limit of descriptors",
        _ => "",
    };
    format!("{error}{hint}")
}

/// The first process of a sandbox. Returns never.
pub(crate) fn run(inside: Inside<'_>) -> ! {
    let failed = match build(&inside) {
        Ok(agent_argument) => become_agent(&inside, &agent_argument),
        Err(failed) => failed,
    };
    inside.report.give_up(b'B', failed)
}

fn build(inside: &Inside<'_>) -> Result<std::ffi::CString, Failed> {
    for procs in &inside.join {
        rustix::io::write(procs, b"0").map_err(|e| at("joining the cgroups")(e.into()))?;
    }
    // Only now, so that the namespace's root is the sandbox's own group.
    sys::unshare(libc::CLONE_NEWCGROUP).map_err(at("making the cgroup namespace"))?;
    if inside.ids.own {
        sys::drop_groups().map_err(at("dropping groups"))?;
    }
    rootfs::build(inside)?;
    rustix::system::sethostname(inside.plan.hostname.as_bytes()).map_err(|e| at("naming the host")(e.into()))?;
    let mut byte = [0];
    match rustix::io::read(&inside.gate, &mut byte) {
        Ok(1) => {}
        _ => sys::exit_now(127),
    }
    let pid = start_workload(inside)?;
    Ok(std::ffi::CString::new(pid.to_string()).expect("a number has no NUL byte"))
}

/// Forks the workload into a user namespace in which its only id is [`WORKLOAD_UID`](crate::WORKLOAD_UID).
fn start_workload(inside: &Inside<'_>) -> Result<i32, Failed> {
    let (wait, ready) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| at("making a pipe")(e.into()))?;
    // SAFETY: this process has one thread.
    #[allow(unsafe_code)]
    let forked = unsafe { sys::fork_with(libc::CLONE_NEWUSER as u64, None) };
    match forked.map_err(at("making the user namespace"))? {
        sys::Forked::Child => {
            drop(ready);
            workload::run(inside, wait)
        }
        sys::Forked::Parent { pid, .. } => {
            map_ids(pid, inside.ids).map_err(at("mapping the user ids"))?;
            // Under memory pressure the workload goes first, not the process that reports on it.
            let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "500");
            rustix::io::write(&ready, b"1").map_err(|e| at("starting the workload")(e.into()))?;
            Ok(pid)
        }
    }
}

/// Written by us, the parent, into a `/proc` that nobody else has seen yet.
fn map_ids(pid: i32, ids: Ids) -> io::Result<()> {
    let map = format!("{} {} 1\n", crate::WORKLOAD_UID, ids.workload);
    if !ids.own {
        std::fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    }
    std::fs::write(format!("/proc/{pid}/gid_map"), &map)?;
    std::fs::write(format!("/proc/{pid}/uid_map"), &map)
}

/// Leaves every privilege behind and executes the agent. Returns only when that fails.
fn become_agent(inside: &Inside<'_>, workload: &std::ffi::CStr) -> Failed {
    let step = || -> Result<(), Failed> {
        place_agent_descriptors(inside).map_err(at("arranging the agent's descriptors"))?;
        privileges::close_bounding_set().map_err(at("closing the agent's bounding set"))?;
        if inside.ids.own {
            sys::set_ids(inside.ids.agent, inside.ids.agent).map_err(at("taking the agent's user id"))?;
        }
        privileges::empty_capabilities().map_err(at("dropping the agent's capabilities"))?;
        sys::reset_signals();
        // A change of ids clears this, so it comes after them.
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64).map_err(at("tying the agent to the launcher"))?;
        privileges::no_new_privileges().map_err(at("setting no_new_privs for the agent"))?;
        sys::install_filter(inside.agent_filter).map_err(at("installing the agent's filter"))
    };
    if let Err(failed) = step() {
        return failed;
    }
    ("executing the agent".into(), sys::exec_fd(inside.agent, &[c"darter-agent", workload]))
}

/// 0–2 are `/dev/null`, 3 is the lifeline; all else is closed by exec.
fn place_agent_descriptors(inside: &Inside<'_>) -> io::Result<()> {
    let null = sys::open_checked(None, std::path::Path::new("/dev/null"), libc::O_RDWR, 0)?;
    let null = spare(&null)?;
    sys::close_on_exec_from(0)?;
    for number in 0..3 {
        sys::place(null.as_fd(), number)?;
    }
    sys::place(inside.lifeline.as_fd(), 3)
}

/// Numbers from here on are never wanted by a program. Everything that must survive until exec lives up there.
pub(crate) const FIRST_SPARE: i32 = 100;

/// A copy of a descriptor among the spare numbers, closed by exec.
pub(crate) fn spare(fd: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, FIRST_SPARE)?)
}
