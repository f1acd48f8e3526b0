//! One job of the launcher, in a process of its own: build a sandbox, bring mounts into one, page one out.
//!
//! A worker may wait for disks and kernel locks, so that the launcher never does. It dies with the launcher, ends after
//! its one job, and speaks to nobody but the launcher.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::Owner;
use super::protocol::{Failure, Plan, Word};
use super::setup::Tools;
use super::volume;
use crate::cgroup::{Made, group_name};
use crate::inside::{DEVICES, Failed, Ids, Inside, Report, at, explain, spare};
use crate::spec::{Access, Bind, WORKLOAD_UID};
use crate::{channel, inside, reclaim, sys};

/// Connections waiting to be accepted; further ones wait in the client's own `connect`.
const EGRESS_BACKLOG: i32 = 64;
/// Socket buffers of a tunnel, which the host pays for.
const EGRESS_BUFFER: usize = 128 << 10;

/// What a worker is forked for.
pub(super) enum Job<'a> {
    Create { id: u64, ids: Ids, plan: &'a Plan, fds: Vec<OwnedFd> },
    Attach { process: BorrowedFd<'a>, ids: Ids, binds: &'a [Bind] },
    Reclaim { id: u64 },
}

/// Does the job and leaves. Called in the forked child only.
pub(super) fn run(tools: &Tools, job: Job<'_>, launcher: OwnedFd) -> ! {
    // Without the launcher there is nobody to tell, and nothing to build for.
    let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64);
    let outcome = match job {
        Job::Create { id, ids, plan, fds } => create(tools, Creation { id, ids, plan }, fds, &launcher),
        Job::Attach { process, ids, binds } => {
            attach(tools, process, ids, binds).map(|()| (Word::Attached, Vec::new()))
        }
        Job::Reclaim { id } => {
            let bytes = tools.swap.then(|| reclaim::page_out(&tools.groups, id));
            Ok((Word::Reclaimed { bytes }, Vec::new()))
        }
    };
    let (word, fds) = outcome.unwrap_or_else(|failure| (Word::Failed(failure), Vec::new()));
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    // When this fails the launcher sees our end without a word, which is a failure too.
    let _ = channel::send(launcher.as_fd(), &word.encode(), &fds);
    sys::exit_now(0)
}

fn failure((step, error): Failed) -> Failure {
    Failure::Build { step, reason: explain(&error) }
}

#[derive(Clone, Copy)]
struct Creation<'a> {
    id: u64,
    ids: Ids,
    plan: &'a Plan,
}

/// The far ends of what the first process holds.
struct Ends {
    report: OwnedFd,
    gate: OwnedFd,
    process: OwnedFd,
}

fn create(
    tools: &Tools,
    what: Creation<'_>,
    fds: Vec<OwnedFd>,
    launcher: &OwnedFd,
) -> Result<(Word, Vec<OwnedFd>), Failure> {
    let made = tools.cgroups.create(&group_name(what.id), &what.plan.limits).map_err(failure)?;
    let knobs = made.knobs.iter().fold(0, |bits, (knob, _)| bits | 1 << *knob as u32);
    let (ends, files) = give_birth(tools, what, fds, made, launcher).map_err(failure)?;
    let listener = network(&ends.process, what.plan.egress).map_err(failure)?;
    rustix::io::write(&ends.gate, b"1").map_err(|e| failure(at("letting the workload start")(e.into())))?;
    drop(ends.gate);
    let mut words = Vec::new();
    io::Read::read_to_end(&mut std::fs::File::from(ends.report), &mut words)
        .map_err(|e| failure(at("waiting for the workload")(e)))?;
    if let Some(failure) = Report::parse(&words, &what.plan.argv[0]) {
        return Err(failure);
    }
    let egress = listener.is_some();
    Ok((Word::Ready { egress, controls: knobs }, listener.into_iter().chain(files).collect()))
}

fn give_birth(
    tools: &Tools,
    what: Creation<'_>,
    fds: Vec<OwnedFd>,
    made: Made,
    launcher: &OwnedFd,
) -> Result<(Ends, Vec<OwnedFd>), Failed> {
    let binds = what.plan.root.binds.iter().map(|bind| detach(tools, bind, what.ids));
    let binds = binds.collect::<Result<Vec<_>, _>>()?;
    let devices = if what.ids.own { Vec::new() } else { host_devices()? };
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| at("making pipes")(e.into()));
    let ((report, report_end), (gate, gate_end)) = (pipe()?, pipe()?);
    let (lifeline, lifeline_end) = channel::pair().map_err(at("making the lifeline"))?;
    let high = |fd: OwnedFd| spare(&fd).map_err(at("arranging descriptors"));
    let (report_end, lifeline_end) = (high(report_end)?, high(lifeline_end)?);
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let flags = (flags | libc::CLONE_PARENT) as u64;
    // SAFETY: this process has one thread.
    #[allow(unsafe_code)]
    let forked = unsafe { sys::fork_with(flags, made.unified.as_ref().map(AsFd::as_fd)) };
    match forked.map_err(at("making the namespaces"))? {
        sys::Forked::Child => {
            // Our copies of the far ends would keep us from seeing that the other side has gone.
            drop((report, gate_end, lifeline));
            inside::run(Inside {
                plan: what.plan,
                ids: what.ids,
                binds,
                devices,
                join: made.join,
                fds,
                gate,
                report: Report(report_end),
                lifeline: lifeline_end,
                agent: tools.agent.as_fd(),
                agent_filter: &tools.agent_filter,
                workload_filter: tools.workload_filter(what.plan.profile),
                landlock: tools.landlock,
                count_processes: tools.groups.pids.is_none(),
            })
        }
        sys::Forked::Parent { pid, pidfd } => {
            let born = Word::Born { pid }.encode();
            channel::send(launcher.as_fd(), &born, &[pidfd.as_fd(), lifeline.as_fd()])
                .map_err(at("telling the launcher"))?;
            let files = made.knobs.into_iter().map(|(_, file)| file).collect();
            Ok((Ends { report, gate: gate_end, process: pidfd }, files))
        }
    }
}

/// What a host folder, file or image shows, as a mount that hangs nowhere yet.
fn detach(tools: &Tools, bind: &Bind, ids: Ids) -> Result<OwnedFd, Failed> {
    let step = |what: &str| at(format!("{what} {}", bind.source.display()));
    let source = tools.allowed.open(bind).map_err(step("opening"))?;
    let quiet = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let (mount, owner) = match bind.access {
        Access::ReadOnly => {
            let mount = sys::clone_tree(source.as_fd()).map_err(step("cloning the mount of"))?;
            sys::set_mount_attributes(mount.as_fd(), quiet | libc::MOUNT_ATTR_RDONLY, None)
                .map_err(step("making read-only"))?;
            return Ok(mount);
        }
        Access::Writable => {
            let mount = sys::clone_tree(source.as_fd()).map_err(step("cloning the mount of"))?;
            (mount, tools.files_owner)
        }
        Access::Volume if !ids.own => {
            let error = io::Error::other("a plain user may not mount volumes; bind a folder instead");
            return Err(step("mounting")(error));
        }
        Access::Volume => {
            let mount = volume::mount(&source, &bind.source).map_err(step("mounting"))?;
            (mount, Owner { uid: WORKLOAD_UID, gid: WORKLOAD_UID })
        }
    };
    let userns = if ids.own { Some(mapping(owner, ids).map_err(step("mapping the owner of"))?) } else { None };
    sys::set_mount_attributes(mount.as_fd(), quiet, userns.as_ref().map(AsFd::as_fd)).map_err(|error| {
        let hint = "mapping ids on this file system (ext4, xfs, btrfs and tmpfs of a current kernel can) of";
        step(hint)(error)
    })?;
    Ok(mount)
}

/// A user namespace that says: what `owner` owns on disk, the workload owns in this mount.
fn mapping(owner: Owner, ids: Ids) -> io::Result<OwnedFd> {
    let (wait, hold) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: this process has one thread.
    #[allow(unsafe_code)]
    let forked = unsafe { sys::fork_with(libc::CLONE_NEWUSER as u64, None) };
    match forked? {
        sys::Forked::Child => {
            drop(hold);
            // Ends with the other end of the pipe, whatever happens to its holder.
            let _ = rustix::io::read(&wait, &mut [0]);
            sys::exit_now(0)
        }
        sys::Forked::Parent { pid, .. } => {
            let line = |on_disk: u32| format!("{on_disk} {} 1\n", ids.workload);
            std::fs::write(format!("/proc/{pid}/uid_map"), line(owner.uid))?;
            std::fs::write(format!("/proc/{pid}/gid_map"), line(owner.gid))?;
            Ok(std::fs::File::open(format!("/proc/{pid}/ns/user"))?.into())
        }
    }
}

/// A plain user may not make device nodes, but may show the host's.
fn host_devices() -> Result<Vec<OwnedFd>, Failed> {
    let one = |name: &str| -> io::Result<OwnedFd> {
        let path = std::path::Path::new("/dev").join(name);
        let device = sys::open_checked(None, &path, libc::O_PATH, libc::RESOLVE_NO_SYMLINKS)?;
        sys::clone_tree(device.as_fd())
    };
    DEVICES.iter().map(|(name, ..)| one(name).map_err(at(format!("showing /dev/{name}")))).collect()
}

/// Loopback, and the proxy's listening socket: made in the sandbox's network, held only outside of it.
fn network(process: &OwnedFd, egress: bool) -> Result<Option<OwnedFd>, Failed> {
    sys::enter_namespaces(process.as_fd(), libc::CLONE_NEWNET).map_err(at("entering the network namespace"))?;
    let step = |e: rustix::io::Errno| at("opening the proxy's socket")(e.into());
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.map_err(step)?;
    sys::loopback_up(socket.as_fd()).map_err(at("bringing loopback up"))?;
    if !egress {
        return Ok(None);
    }
    sockopt::set_socket_recv_buffer_size(&socket, EGRESS_BUFFER).map_err(step)?;
    sockopt::set_socket_send_buffer_size(&socket, EGRESS_BUFFER).map_err(step)?;
    rustix::net::bind(&socket, &std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3128)).map_err(step)?;
    rustix::net::listen(&socket, EGRESS_BACKLOG).map_err(step)?;
    channel::set_nonblocking(&socket).map_err(at("opening the proxy's socket"))?;
    Ok(Some(socket))
}

fn attach(tools: &Tools, process: BorrowedFd<'_>, ids: Ids, binds: &[Bind]) -> Result<(), Failure> {
    let mounts = binds.iter().map(|bind| detach(tools, bind, ids)).collect::<Result<Vec<_>, _>>();
    let mounts = mounts.map_err(failure)?;
    sys::enter_namespaces(process, libc::CLONE_NEWNS).map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH) => Failure::Ended,
        _ => failure(at("entering the sandbox's mount namespace")(error)),
    })?;
    for (bind, mount) in binds.iter().zip(mounts) {
        let step = || at(format!("showing {} at {}", bind.source.display(), bind.target.display()));
        // The way there is the sandbox's own read-only root; links are refused all the same.
        let onto = sys::open_checked(None, &bind.target, libc::O_PATH, libc::RESOLVE_NO_SYMLINKS);
        let onto = onto.map_err(|e| failure(step()(e)))?;
        sys::attach_mount(mount.as_fd(), onto.as_fd()).map_err(|e| failure(step()(e)))?;
    }
    Ok(())
}
