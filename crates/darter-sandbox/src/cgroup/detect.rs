//! Reads from `/proc` where each cgroup controller lives and which group we are in ourselves.

use std::path::{Path, PathBuf};

/// What we need of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    CpuAccounting,
    Pids,
    Freezer,
}

impl Controller {
    pub(crate) const ALL: [Self; 5] = [Self::Memory, Self::Cpu, Self::CpuAccounting, Self::Pids, Self::Freezer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::CpuAccounting => "cpuacct",
            Self::Pids => "pids",
            Self::Freezer => "freezer",
        }
    }
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) unified: bool,
    /// The group this process is in.
    pub(crate) own: PathBuf,
    /// Of a v1 hierarchy what it carries; of v2 all that it might (what it really has is in `cgroup.controllers`).
    pub(crate) controllers: Vec<Controller>,
}

/// The hierarchies that carry a controller of ours.
pub(crate) fn places(mountinfo: &str, own_groups: &str) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    for line in mountinfo.lines() {
        let Some(place) = mount(line, own_groups) else { continue };
        // The same hierarchy may be mounted twice; the first one will do.
        if !found.iter().any(|other| other.unified == place.unified && other.controllers == place.controllers) {
            found.push(place);
        }
    }
    found
}

fn mount(line: &str, own_groups: &str) -> Option<Place> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let (root, point) = (left.next()?, left.next()?);
    let mut right = right.split(' ');
    let (kind, options) = (right.next()?, right.nth(1)?);
    let (unified, controllers) = match kind {
        "cgroup2" => (true, Controller::ALL.to_vec()),
        "cgroup" => {
            let has = |one: &Controller| options.split(',').any(|option| option == one.name());
            (false, Controller::ALL.into_iter().filter(has).collect())
        }
        _ => return None,
    };
    let group = own_group(own_groups, unified, controllers.first()?.name())?;
    // In a container without a cgroup namespace the mount shows a part of the tree only.
    let inside = Path::new(group).strip_prefix(root).ok()?;
    let mut own = Path::new(&unescape(point)).join(inside);
    if own.file_name().is_some_and(|name| name == super::v2::SUPERVISOR) {
        own.pop();
    }
    Some(Place { unified, own, controllers })
}

fn own_group<'a>(own_groups: &'a str, unified: bool, controller: &str) -> Option<&'a str> {
    own_groups.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (names, path) = rest.split_once(':')?;
        let mine = if unified { number == "0" && names.is_empty() } else { names.split(',').any(|n| n == controller) };
        mine.then_some(path)
    })
}

/// mountinfo writes blanks as `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_machine_is_read_per_controller() {
        let groups = "4:memory:/a b/mine\n2:cpuacct,cpu:/x\n3:cpuset:/\n0::/user.slice\n";
        let found = places(HYBRID, groups);
        let own: Vec<(bool, String)> =
            found.iter().map(|place| (place.unified, place.own.display().to_string())).collect();
        assert_eq!(
            own,
            [
                (false, "/sys/fs/cgroup/cpu,cpuacct/x".to_owned()),
                (false, "/sys/fs/cgroup/memory/a b/mine".to_owned()),
                (true, "/sys/fs/cgroup/unified/user.slice".to_owned()),
            ]
        );
        assert_eq!(found[0].controllers, [Controller::Cpu, Controller::CpuAccounting]);
    }

    #[test]
    fn a_unified_machine_offers_every_controller_in_one_place() {
        let found = places(
            "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
            "0::/system.slice/darter.service/darter-supervisor\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/system.slice/darter.service"));
        assert!(found[0].unified);
    }

    #[test]
    fn a_container_that_sees_part_of_the_tree_finds_itself_in_it() {
        let line = "30 23 0:26 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        assert_eq!(places(line, "1:pids:/docker/abc/x\n")[0].own, Path::new("/sys/fs/cgroup/pids/x"));
        assert!(places(line, "1:pids:/elsewhere\n").is_empty());
    }

    #[test]
    fn nonsense_is_skipped() {
        assert!(places("", "").is_empty());
        assert!(places("a b c\n - \n1 2 3 4 5 - cgroup\n", "x\n0:\n").is_empty());
    }
}
