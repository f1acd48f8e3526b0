//! What a controller's files are called in cgroup v1, and how a v1 group is ended.

use std::os::fd::OwnedFd;

use super::{CPU_PERIOD, Controller, Knob, kill_listed, write_at};
use crate::spec::Limits;

/// `(file, value, required)` in the order they have to be written.
pub(super) fn limits(controller: Controller, limits: &Limits) -> Vec<(&'static str, String, bool)> {
    match controller {
        Controller::Memory => vec![
            ("memory.limit_in_bytes", limits.memory.to_string(), true),
            // Absent when the kernel does not account swap; then swappiness keeps the group out of it.
            ("memory.memsw.limit_in_bytes", limits.memory.to_string(), false),
            ("memory.swappiness", "0".into(), false),
        ],
        Controller::Cpu => {
            vec![("cpu.cfs_period_us", CPU_PERIOD.to_string(), true), ("cpu.cfs_quota_us", cpu_quota(limits), true)]
        }
        Controller::Pids => vec![("pids.max", limits.pids.to_string(), true)],
        Controller::CpuAccounting | Controller::Freezer => Vec::new(),
    }
}

pub(crate) fn cpu_quota(limits: &Limits) -> String {
    (u64::from(limits.cpu_millis) * CPU_PERIOD / 1000).to_string()
}

pub(super) fn knobs(controller: Controller) -> &'static [(Knob, &'static str)] {
    match controller {
        Controller::Memory => &[(Knob::Memory, "memory.limit_in_bytes"), (Knob::Swap, "memory.memsw.limit_in_bytes")],
        Controller::Cpu => &[(Knob::Cpu, "cpu.cfs_quota_us")],
        Controller::Pids => &[(Knob::Pids, "pids.max")],
        Controller::Freezer => &[(Knob::Freeze, "freezer.state")],
        Controller::CpuAccounting => &[],
    }
}

/// v1 has no `cgroup.kill`. A frozen process only dies once thawed, and one that forks faster than we read the list is
/// held still by the freezer while the list is read.
pub(super) fn kill(dir: &OwnedFd, name: &str, freezer: bool) {
    let state = format!("{name}/freezer.state");
    if freezer {
        let _ = write_at(dir, &state, "FROZEN");
    }
    kill_listed(dir, name);
    if freezer {
        let _ = write_at(dir, &state, "THAWED");
    }
}
