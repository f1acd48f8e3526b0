//! What a controller's files are called in cgroup v2, how controllers are delegated, and how a v2 group is ended.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{CPU_PERIOD, Controller, Knob, kill_listed, write_at};
use crate::spec::Limits;

/// The leaf our own processes move to: a v2 group that hands controllers down may hold no process itself.
pub(super) const SUPERVISOR: &str = "darter-supervisor";

/// `(file, value, required)` in the order they have to be written.
pub(super) fn limits(controller: Controller, limits: &Limits) -> Vec<(&'static str, String, bool)> {
    match controller {
        Controller::Memory => vec![
            ("memory.max", limits.memory.to_string(), true),
            ("memory.swap.max", "0".into(), false),
            ("memory.oom.group", "1".into(), false),
        ],
        Controller::Cpu => vec![("cpu.max", cpu_max(limits), true)],
        Controller::Pids => vec![("pids.max", limits.pids.to_string(), true)],
        Controller::CpuAccounting | Controller::Freezer => Vec::new(),
    }
}

pub(crate) fn cpu_max(limits: &Limits) -> String {
    format!("{} {CPU_PERIOD}", super::v1::cpu_quota(limits))
}

pub(super) fn knobs(controller: Controller) -> &'static [(Knob, &'static str)] {
    match controller {
        Controller::Memory => &[(Knob::Memory, "memory.max")],
        Controller::Cpu => &[(Knob::Cpu, "cpu.max")],
        Controller::Pids => &[(Knob::Pids, "pids.max")],
        Controller::Freezer => &[(Knob::Freeze, "cgroup.freeze")],
        Controller::CpuAccounting => &[],
    }
}

fn listed(folder: &Path, file: &str) -> Vec<Controller> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let has = |one: &Controller| text.split_whitespace().any(|word| word == one.name());
    let mut found: Vec<Controller> = Controller::ALL.into_iter().filter(has).collect();
    // These two are part of every v2 group.
    found.extend([Controller::CpuAccounting, Controller::Freezer]);
    found
}

fn hand_down(folder: &Path, wanted: &[Controller]) -> io::Result<()> {
    for controller in wanted {
        if matches!(controller, Controller::CpuAccounting | Controller::Freezer) {
            continue;
        }
        std::fs::write(folder.join("cgroup.subtree_control"), format!("+{}", controller.name()))?;
    }
    Ok(())
}

/// Hands our own group's controllers down to its children. When processes are in the way and they are only ours (the
/// server that forked us and ourselves), they move to a leaf first.
pub(super) fn enable(own: &Path) -> io::Result<Vec<Controller>> {
    let wanted = listed(own, "cgroup.controllers");
    if hand_down(own, &wanted).is_ok() {
        return Ok(wanted);
    }
    let ours = [std::process::id(), std::os::unix::process::parent_id()];
    let inside = std::fs::read_to_string(own.join("cgroup.procs"))?;
    let strangers = inside.lines().filter(|line| !line.parse().is_ok_and(|pid: u32| ours.contains(&pid))).count();
    if strangers == 0 {
        let leaf = own.join(SUPERVISOR);
        if !leaf.is_dir() {
            std::fs::create_dir(&leaf)?;
        }
        for pid in ours {
            std::fs::write(leaf.join("cgroup.procs"), pid.to_string())?;
        }
        if hand_down(own, &wanted).is_ok() {
            return Ok(wanted);
        }
    }
    // What cannot be handed down is missing; freezing and killing still work.
    Ok(listed(own, "cgroup.subtree_control"))
}

/// Hands the controllers on from our folder to the sandboxes' groups, and keeps only those that arrived.
pub(super) fn delegate(folder: &Path, controllers: &mut Vec<Controller>) {
    let _ = hand_down(folder, controllers);
    let arrived = listed(folder, "cgroup.subtree_control");
    let freezes = folder.join("cgroup.freeze").exists();
    controllers.retain(|one| arrived.contains(one) && (freezes || *one != Controller::Freezer));
}

/// `cgroup.kill` since 5.14; before it the list.
pub(super) fn kill(dir: &OwnedFd, name: &str) {
    if write_at(dir, &format!("{name}/cgroup.kill"), "1").is_err() {
        kill_listed(dir, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_one_core_and_a_half_are_written_as_the_kernel_reads_them() {
        let all = Limits { cpu_millis: 1500, memory: 1 << 30, pids: 64, ..Limits::default() };
        let text = |controller| -> Vec<String> {
            limits(controller, &all).into_iter().map(|(file, value, _)| format!("{file}={value}")).collect()
        };
        assert_eq!(text(Controller::Cpu), ["cpu.max=150000 100000"]);
        assert_eq!(text(Controller::Memory), ["memory.max=1073741824", "memory.swap.max=0", "memory.oom.group=1"]);
        assert_eq!(text(Controller::Pids), ["pids.max=64"]);
    }

    #[test]
    fn controllers_are_handed_down_one_by_one_and_those_that_do_not_arrive_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cgroup.controllers"), "cpu io memory pids\n").unwrap();
        std::fs::write(folder.path().join("cgroup.subtree_control"), "memory\n").unwrap();
        let mut wanted = listed(folder.path(), "cgroup.controllers");
        assert!(wanted.contains(&Controller::Cpu) && wanted.contains(&Controller::Pids));
        // A plain file keeps only the last word written, like a kernel that granted nothing but that.
        delegate(folder.path(), &mut wanted);
        assert_eq!(wanted, [Controller::CpuAccounting]);
    }
}
