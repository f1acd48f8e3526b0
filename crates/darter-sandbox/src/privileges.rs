//! Giving up power: capabilities, securebits, `no_new_privs`, resource limits, and the server's own descent from root.
//!
//! Everything here only ever takes away.
#![allow(unsafe_code)]

use std::io;

use crate::error::LaunchError;
use crate::launcher::Owner;
use crate::spec::Limits;
use crate::sys;

const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// What the launcher needs: mounts and namespaces, ids, device nodes, loopback, reading any bind source, paging out.
const LAUNCHER_CAPABILITIES: &[u32] = &[
    0,  // CHOWN
    1,  // DAC_OVERRIDE
    2,  // DAC_READ_SEARCH
    3,  // FOWNER
    5,  // KILL
    6,  // SETGID
    7,  // SETUID
    8,  // SETPCAP
    12, // NET_ADMIN
    18, // SYS_CHROOT
    19, // SYS_PTRACE
    21, // SYS_ADMIN
    23, // SYS_NICE
    27, // MKNOD
];

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn read_capabilities() -> io::Result<[Sets; 2]> {
    let mut header = Header { version: CAPABILITY_VERSION, pid: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: version 3 writes exactly two sets.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(sets) }
}

fn write_capabilities(sets: &[Sets; 2]) -> io::Result<()> {
    let mut header = Header { version: CAPABILITY_VERSION, pid: 0 };
    // SAFETY: version 3 reads exactly two sets.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Keeps only what a launcher needs of what it has.
pub(crate) fn trim_launcher() -> io::Result<()> {
    let mut sets = read_capabilities()?;
    for (word, set) in sets.iter_mut().enumerate() {
        let mine = |capability: &&u32| **capability as usize / 32 == word;
        let mask: u32 = LAUNCHER_CAPABILITIES.iter().filter(mine).map(|capability| 1 << (capability % 32)).sum();
        set.permitted &= mask;
        set.effective = set.permitted;
        set.inheritable = 0;
    }
    write_capabilities(&sets)
}

/// Empties the bounding set and locks the securebits, so that no exec can ever bring a capability back. Needs
/// `CAP_SETPCAP`; [`empty_capabilities`] follows once the ids are right.
pub(crate) fn close_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        match sys::prctl(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            // Past the last capability this kernel knows.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    // NOROOT, NO_SETUID_FIXUP, KEEP_CAPS off, NO_CAP_AMBIENT_RAISE, and the locks of all four.
    sys::prctl(libc::PR_SET_SECUREBITS, 0b1110_1111)
}

/// Empties the effective, permitted and inheritable sets (and with them the ambient one).
pub(crate) fn empty_capabilities() -> io::Result<()> {
    write_capabilities(&[Sets::default(); 2])
}

/// No exec will ever give more than there is now.
pub(crate) fn no_new_privileges() -> io::Result<()> {
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// The resource limits of a workload. Memory is the cgroup's business: a limit on addresses would keep Node, Go and Java
/// from starting.
pub(crate) fn limit_workload(limits: &Limits, count_processes: bool) -> io::Result<()> {
    let rows = [
        (libc::RLIMIT_NOFILE, limits.nofile),
        (libc::RLIMIT_FSIZE, limits.fsize),
        // One byte: no file is written, and a core handler behind a pipe, which ignores zero, is not started either.
        (libc::RLIMIT_CORE, 1),
        (libc::RLIMIT_MEMLOCK, 64 << 10),
        (libc::RLIMIT_MSGQUEUE, 0),
        (libc::RLIMIT_SIGPENDING, 1024),
        (libc::RLIMIT_NICE, 0),
        (libc::RLIMIT_RTPRIO, 0),
        (libc::RLIMIT_STACK, 8 << 20),
    ];
    for (kind, value) in rows {
        sys::limit(kind, value)?;
    }
    if count_processes {
        sys::limit(libc::RLIMIT_NPROC, u64::from(limits.pids))?;
    }
    Ok(())
}

/// Gives root up for good: groups, then gid, then uid, then checks that there is no way back. Call it after
/// [`Launcher::fork`](crate::Launcher::fork) and before any thread exists. Does nothing when already that account.
pub fn become_account(owner: Owner) -> Result<(), LaunchError> {
    let step = |what: &'static str| move |source| LaunchError::Io { what, source };
    let threads = sys::thread_count().map_err(step("counting threads"))?;
    if threads != 1 {
        return Err(LaunchError::Threads(threads));
    }
    if rustix::process::getuid().as_raw() == owner.uid && owner.uid != 0 {
        return Ok(());
    }
    sys::drop_groups().map_err(step("dropping the groups of root"))?;
    sys::set_ids(owner.uid, owner.gid).map_err(step("becoming the unprivileged account"))?;
    if owner.uid != 0 && sys::set_ids(0, 0).is_ok() {
        return Err(LaunchError::Config("root could be taken back after giving it up; refusing to go on".into()));
    }
    Ok(())
}
