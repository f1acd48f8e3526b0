//! The launcher's first moments: detaches itself from the terminal and from needless power, and finds its tools.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::protocol::Groups;
use super::{LauncherConfig, Owner};
use crate::cgroup::Cgroups;
use crate::client::Abilities;
use crate::inside::{Ids, spare};
use crate::paths::Allowed;
use crate::seccomp::{self, Program};
use crate::spec::Profile;
use crate::{privileges, reclaim, sys};

/// The agent, built for this version.
pub(crate) static AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/darter-agent"));

/// What every worker needs and none changes.
pub(super) struct Tools {
    pub(super) cgroups: Cgroups,
    pub(super) groups: Groups,
    pub(super) allowed: Allowed,
    pub(super) agent: OwnedFd,
    pub(super) agent_filter: Program,
    function_filter: Program,
    build_filter: Program,
    workspace_filter: Program,
    pub(super) landlock: u32,
    pub(super) files_owner: Owner,
    pub(super) privileged: bool,
    pub(super) swap: bool,
    uid_base: u32,
}

impl Tools {
    /// Prepares everything, or says in an operator's words why there can be no launcher.
    pub(super) fn prepare(config: &LauncherConfig) -> Result<Self, String> {
        let privileged = rustix::process::geteuid().is_root();
        check(config, privileged)?;
        // Before the view of the mounts changes.
        let allowed = Allowed::new(&config.readable, &config.writable);
        if privileged {
            // Nobody may read our memory or trace us, the server included.
            sys::prctl(libc::PR_SET_DUMPABLE, 0).map_err(|e| format!("protecting the launcher failed: {e}"))?;
        } else {
            become_namespace_root().map_err(|error| {
                format!(
                    "this user may not make user namespaces ({error}): run as root, or allow them \
                     (kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
                )
            })?;
        }
        privileges::trim_launcher().map_err(|e| format!("giving up needless capabilities failed: {e}"))?;
        let cgroups = Cgroups::prepare(&config.prefix()).map_err(|error| error.to_string())?;
        let agent = sys::sealed_program(c"darter-agent", AGENT).and_then(spare);
        let [function_filter, build_filter, workspace_filter] =
            [Profile::Function, Profile::Build, Profile::Workspace].map(seccomp::workload);
        Ok(Self {
            groups: cgroups.groups(),
            cgroups,
            allowed,
            agent: agent.map_err(|e| format!("loading the agent into memory failed: {e}"))?,
            agent_filter: seccomp::agent(),
            function_filter,
            build_filter,
            workspace_filter,
            landlock: sys::landlock_version(),
            files_owner: config.files_owner,
            privileged,
            swap: reclaim::has_swap(),
            uid_base: config.uid_base,
        })
    }

    pub(super) fn abilities(&self) -> Abilities {
        Abilities {
            privileged: self.privileged,
            controllers: self.cgroups.describe(),
            freezer: self.groups.freezer.is_some(),
            swap: self.swap,
            landlock: self.landlock,
        }
    }

    pub(super) fn workload_filter(&self, profile: Profile) -> &Program {
        match profile {
            Profile::Function => &self.function_filter,
            Profile::Build => &self.build_filter,
            Profile::Workspace => &self.workspace_filter,
        }
    }

    /// The user ids of a slot. Of two living sandboxes no id is ever the same, except for a plain user, who has one.
    pub(super) fn ids(&self, slot: u32) -> Ids {
        if !self.privileged {
            return Ids { workload: ONLY_ID, agent: ONLY_ID, own: false };
        }
        let first = self.uid_base + 2 * slot;
        Ids { workload: first, agent: first + 1, own: true }
    }
}

fn check(config: &LauncherConfig, privileged: bool) -> Result<(), String> {
    if config.slots == 0 || config.slots > 1 << 20 {
        return Err(format!("slots is {}, but must be 1–1048576", config.slots));
    }
    let last = u64::from(config.uid_base) + 2 * u64::from(config.slots);
    if privileged && (config.uid_base < 65_536 || last > u64::from(u32::MAX) - 65_536) {
        return Err(format!(
            "uid_base is {}: the range {}–{last} is not free for sandboxes",
            config.uid_base, config.uid_base
        ));
    }
    if privileged && (config.files_owner.uid == 0 || config.files_owner.gid == 0) {
        return Err("files_owner must not be root: what tenants write would belong to root on the host".into());
    }
    Ok(())
}

/// What a plain user is called in the launcher's user namespace. Not 0: the kernel lets only holders of one more
/// capability map that further down, and nothing needs a root there.
const ONLY_ID: u32 = 1;

/// A plain user has every capability in a user namespace of its own, where it may mount.
fn become_namespace_root() -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // Files in /proc of a process that may not be dumped belong to the real root, so we could not write our own maps.
    sys::prctl(libc::PR_SET_DUMPABLE, 1)?;
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{ONLY_ID} {uid} 1\n"))?;
    std::fs::write("/proc/self/gid_map", format!("{ONLY_ID} {gid} 1\n"))
}

/// Leaves the terminal, its signals and its descriptors to the server.
pub(super) fn detach() -> io::Result<()> {
    sys::set_process_name(c"darter-launcher");
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE, libc::SIGUSR1] {
        // The server decides when to end; we end when it has.
        sys::ignore_signal(signal);
    }
    // Fails only when we lead a group already, which a fresh fork does not.
    let _ = rustix::process::setsid();
    let null = sys::open_checked(None, std::path::Path::new("/dev/null"), libc::O_RDWR, 0)?;
    for number in 0..3 {
        sys::place(null.as_fd(), number)?;
    }
    // Best effort: a plain user may not.
    let _ = rustix::process::setpriority_process(None, -5);
    std::env::set_current_dir("/")
}
