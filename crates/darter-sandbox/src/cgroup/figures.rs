//! Reads what a sandbox uses from its cgroups' files, which anybody may read.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::group_name;
use crate::launcher::protocol::{Group, Groups};
use crate::sandbox::Usage;

fn file(group: &Group, id: u64, name: &str) -> PathBuf {
    group.folder.join(group_name(id)).join(name)
}

fn number(group: &Group, id: u64, name: &str) -> Option<u64> {
    std::fs::read_to_string(file(group, id, name)).ok()?.trim().parse().ok()
}

fn field(group: &Group, id: u64, name: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file(group, id, name)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok())
}

/// What is used now. A controller that is missing reads as zero.
pub(crate) fn usage(groups: &Groups, id: u64) -> Usage {
    let memory = groups.memory.as_ref();
    let pick = |group: &Group, old: &str, new: &str| number(group, id, if group.unified { new } else { old });
    let now = memory.and_then(|group| pick(group, "memory.usage_in_bytes", "memory.current")).unwrap_or(0);
    let peak = memory.and_then(|group| pick(group, "memory.max_usage_in_bytes", "memory.peak"));
    let cpu = groups.cpu_accounting.as_ref().and_then(|group| match group.unified {
        true => field(group, id, "cpu.stat", "usage_usec "),
        false => number(group, id, "cpuacct.usage").map(|nanos| nanos / 1000),
    });
    let pids = groups.pids.as_ref().and_then(|group| number(group, id, "pids.current"));
    Usage { memory: now, memory_peak: peak.unwrap_or(now), cpu_usec: cpu.unwrap_or(0), pids: pids.unwrap_or(0) }
}

/// How many processes the kernel has killed for want of memory.
pub(crate) fn oom_kills(groups: &Groups, id: u64) -> u64 {
    let Some(group) = &groups.memory else { return 0 };
    let name = if group.unified { "memory.events" } else { "memory.oom_control" };
    field(group, id, name, "oom_kill ").unwrap_or(0)
}

/// Whether every process rests.
pub(crate) fn frozen(groups: &Groups, id: u64) -> Option<bool> {
    let group = groups.freezer.as_ref()?;
    if group.unified {
        return field(group, id, "cgroup.events", "frozen ").map(|value| value == 1);
    }
    let state = std::fs::read_to_string(file(group, id, "freezer.state")).ok()?;
    Some(state.trim() == "FROZEN")
}

/// A v2 group's `cgroup.events`, which tells when it changes.
pub(crate) struct FreezerEvents(AsyncFd<std::fs::File>);

/// `None` on v1, and when the sandbox is gone (asking once more says so).
pub(crate) fn freezer_events(groups: &Groups, id: u64) -> Option<FreezerEvents> {
    let group = groups.freezer.as_ref().filter(|group| group.unified)?;
    let file = std::fs::File::open(file(group, id, "cgroup.events")).ok()?;
    // SAFETY: the descriptor is owned by the AsyncFd, which never lets go of it before it deregisters.
    #[allow(unsafe_code)]
    let watched = unsafe { AsyncFd::register_with_interest(file, Interest::PRIORITY) };
    Some(FreezerEvents(watched.ok()?))
}

impl FreezerEvents {
    pub(crate) fn frozen(&self) -> io::Result<bool> {
        let mut text = [0; 64];
        let length = self.0.get_ref().read_at(&mut text, 0)?;
        Ok(String::from_utf8_lossy(&text[..length]).lines().any(|line| line == "frozen 1"))
    }

    /// Resolves after the file has changed since it was last read.
    pub(crate) async fn changed(&mut self) -> io::Result<()> {
        self.0.ready(Interest::PRIORITY).await?.clear_ready();
        Ok(())
    }
}
