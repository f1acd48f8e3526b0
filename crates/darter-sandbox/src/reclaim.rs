//! Pages the anonymous memory of a resting sandbox out. File pages stay: reading them back costs more than they weigh.

use std::os::fd::AsFd;

use crate::cgroup::{figures, group_name};
use crate::launcher::protocol::Groups;
use crate::sys;

/// Most ranges one call takes (`IOV_MAX`).
const BATCH: usize = 1024;

/// Whether this machine has any swap (zram counts).
pub(crate) fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

/// Pages out every process of a sandbox; bytes of memory that are charged no more.
pub(crate) fn page_out(groups: &Groups, id: u64) -> u64 {
    let before = figures::usage(groups, id).memory;
    let Some(group) = groups.memory.as_ref().or(groups.freezer.as_ref()) else { return 0 };
    let folder = group.folder.join(group_name(id));
    let swap_limit = folder.join("memory.swap.max");
    if group.unified {
        // The wall against swapping under pressure is opened for what we push out ourselves, and closed again.
        let _ = std::fs::write(&swap_limit, "max");
    }
    let listed = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in listed.lines().filter_map(|line| line.parse::<i32>().ok()) {
        let Ok(process) = sys::open_process(pid) else { continue };
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        for batch in anonymous(&maps).chunks(BATCH) {
            // A range that has gone meanwhile ends its batch; what is left stays in memory, no harm done.
            let _ = sys::page_out(process.as_fd(), batch);
        }
    }
    if group.unified {
        let _ = std::fs::write(&swap_limit, "0");
    }
    before.saturating_sub(figures::usage(groups, id).memory)
}

/// The private writable ranges without a file.
fn anonymous(maps: &str) -> Vec<(usize, usize)> {
    let range = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (span, rights, inode) = (fields.next()?, fields.next()?, fields.nth(2)?);
        let name = fields.next().unwrap_or("");
        if !rights.starts_with("rw") || !rights.ends_with('p') || inode != "0" || name == "[stack]" {
            return None;
        }
        let (start, end) = span.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        Some((start, end.checked_sub(start)?))
    };
    maps.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_writable_memory_without_a_file_is_paged_out() {
        let maps = "\
55d0a000-55d0b000 r-xp 00000000 08:01 42 /usr/bin/node
55d0c000-55d0e000 rw-p 00000000 08:01 42 /usr/bin/node
55d10000-55d30000 rw-p 00000000 00:00 0 [heap]
7f000000-7f001000 rw-p 00000000 00:00 0
7f100000-7f101000 rw-s 00000000 00:01 9 /dev/zero (deleted)
7ffd0000-7ffe0000 rw-p 00000000 00:00 0 [stack]
nonsense
";
        assert_eq!(anonymous(maps), [(0x55d1_0000, 0x2_0000), (0x7f00_0000, 0x1000)]);
    }
}
