//! The launcher: a small single-threaded process that keeps the privileges the server gives up.
//!
//! It parses nothing that a tenant wrote, and it never outlives the server: when the socket to it closes it kills every
//! sandbox, removes every cgroup and exits.

mod codec;
#[cfg(test)]
mod fuzz;
pub(crate) mod protocol;
mod serve;
pub(crate) mod setup;
mod volume;
mod worker;

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::client::LauncherClient;
use crate::error::LaunchError;
use crate::{channel, sys};

/// A user and a group of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What the launcher is told once, before it starts. It cannot be changed by the server afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LauncherConfig {
    /// Names this installation (the data directory). Cgroups are made under `darter-<hash of it>`, and leftovers there
    /// are swept at start.
    pub identity: PathBuf,
    /// First host user id given to sandboxes; two per slot. Ignored without root.
    pub uid_base: u32,
    /// Most sandboxes at a time.
    pub slots: u32,
    /// Host folders that may be shown read-only inside sandboxes. They may be made later, their parents must exist.
    pub readable: Vec<PathBuf>,
    /// Host folders that may be shown writable inside sandboxes (install jobs), and whose image files may be mounted.
    pub writable: Vec<PathBuf>,
    /// Who owns, on the host, what workloads write into writable binds: the account the server drops to.
    /// Must not be root when the launcher is. A folder bound writable must belong to it.
    pub files_owner: Owner,
}

impl LauncherConfig {
    /// The usual configuration of a data directory: runtimes, environments and apps readable, apps, workspaces and caches
    /// writable, and the host's system folders readable.
    pub fn for_data_dir(data: &Path, files_owner: Owner) -> Self {
        let mut readable: Vec<PathBuf> =
            ["runtimes", "environments", "apps", "cache"].iter().map(|name| data.join(name)).collect();
        readable.extend(Self::system_folders());
        // This program is a workspace's attendant, too.
        readable.extend(std::env::current_exe().and_then(|program| program.canonicalize()));
        Self {
            identity: data.to_path_buf(),
            uid_base: 300_000_000,
            slots: 4096,
            readable,
            writable: ["apps", "workspaces", "cache"].iter().map(|name| data.join(name)).collect(),
            files_owner,
        }
    }

    /// The folders [`Root::host_system`](crate::Root::host_system) shows.
    pub fn system_folders() -> Vec<PathBuf> {
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ssl", "/etc/ld.so.cache"]
            .into_iter()
            .chain(["/etc/ca-certificates", "/etc/alternatives"])
            .map(PathBuf::from)
            .chain(crate::spec::package_settings())
            .collect()
    }

    /// Name of our folder in every cgroup hierarchy. FNV-1a: the same in every version of this program.
    pub(crate) fn prefix(&self) -> String {
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = self.identity.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
        format!("darter-{hash:016x}")
    }
}

/// The forked launcher, as its parent sees it before tokio starts. Dropping it (and every client) ends the launcher.
#[derive(Debug)]
pub struct Launcher {
    socket: OwnedFd,
    pid: i32,
}

impl Launcher {
    /// Forks the launcher. Must be the first thing `main` does: refuses when another thread exists.
    pub fn fork(config: LauncherConfig) -> Result<Self, LaunchError> {
        let threads = sys::thread_count().map_err(|source| LaunchError::Io { what: "counting threads", source })?;
        if threads != 1 {
            return Err(LaunchError::Threads(threads));
        }
        Self::fork_in_test(config)
    }

    /// As [`Launcher::fork`], for tests, whose harness has a thread of its own that only waits. Safe as long as no other
    /// thread holds a lock of the standard library at this moment: a process per test, this its first line.
    #[doc(hidden)]
    #[allow(unsafe_code)]
    pub fn fork_in_test(config: LauncherConfig) -> Result<Self, LaunchError> {
        let io = |what| move |source| LaunchError::Io { what, source };
        let (server, launcher) = channel::pair().map_err(io("making the launcher's socket"))?;
        // SAFETY: either there is one thread, or the other one only waits and the C library puts malloc right.
        let pid = unsafe { sys::fork_plain() }.map_err(io("forking the launcher"))?;
        if pid == 0 {
            drop(server);
            serve::main(&config, launcher);
        }
        Ok(Self { socket: server, pid })
    }

    /// Host process id of the launcher.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Becomes a client. Must be called inside a tokio runtime.
    pub async fn connect(self) -> Result<LauncherClient, LaunchError> {
        crate::client::connect(self.socket, self.pid).await
    }
}
