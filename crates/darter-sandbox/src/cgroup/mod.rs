//! Cgroups: one folder of ours per hierarchy, one group in it per sandbox.
//!
//! Which version a controller lives in is decided per controller, because a machine may have some of each. Only folders
//! under our own prefix are ever touched, and only processes found inside them are ever killed.

mod detect;
pub(crate) mod figures;
mod v1;
mod v2;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};

pub(crate) use detect::Controller;

use crate::launcher::protocol::{Group, Groups};
use crate::spec::Limits;

/// Length of a CPU accounting period, microseconds: short enough that a throttled function is not noticed as a stall.
pub(crate) const CPU_PERIOD: u64 = 100_000;

/// A control file the server may write. The numbers are bits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knob {
    Freeze = 0,
    Memory = 1,
    Swap = 2,
    Cpu = 3,
    Pids = 4,
}

impl Knob {
    pub(crate) const ALL: [Self; 5] = [Self::Freeze, Self::Memory, Self::Swap, Self::Cpu, Self::Pids];
}

/// Our folder in one hierarchy.
struct Site {
    unified: bool,
    folder: PathBuf,
    dir: OwnedFd,
    controllers: Vec<Controller>,
}

/// All our folders.
pub(crate) struct Cgroups {
    sites: Vec<Site>,
    missing: Vec<(Controller, String)>,
}

/// A sandbox's groups, just made.
#[derive(Default)]
pub(crate) struct Made {
    /// The cgroup v2 to be born into.
    pub(crate) unified: Option<OwnedFd>,
    /// `tasks` of the v1 groups to join.
    pub(crate) join: Vec<OwnedFd>,
    /// The files the server will write to.
    pub(crate) knobs: Vec<(Knob, OwnedFd)>,
}

/// The writes that move a living sandbox's walls. Of memory and swap (v1 counts both together) either may have to move
/// first, so memory is written on both sides of it.
pub(crate) fn limit_values(groups: &Groups, limits: &Limits) -> Vec<(Knob, String, &'static str)> {
    let unified = |group: &Option<Group>| group.as_ref().is_some_and(|group| group.unified);
    let memory = limits.memory.to_string();
    let mut values = Vec::new();
    if !unified(&groups.memory) {
        values.push((Knob::Memory, memory.clone(), crate::sandbox::FIRST_OF_PAIR));
        values.push((Knob::Swap, memory.clone(), "setting the swap limit"));
    }
    values.push((Knob::Memory, memory, "setting the memory limit"));
    let cpu = if unified(&groups.cpu) { v2::cpu_max(limits) } else { v1::cpu_quota(limits) };
    values.push((Knob::Cpu, cpu, "setting the CPU limit"));
    values.push((Knob::Pids, limits.pids.to_string(), "setting the limit of processes"));
    values
}

/// Name of a sandbox's group.
pub(crate) fn group_name(id: u64) -> String {
    format!("s{id}")
}

impl Cgroups {
    /// Makes our folders and clears what an earlier life left in them.
    pub(crate) fn prepare(prefix: &str) -> io::Result<Self> {
        let places = detect::places(
            &std::fs::read_to_string("/proc/self/mountinfo")?,
            &std::fs::read_to_string("/proc/self/cgroup")?,
        );
        let mut all = Self { sites: Vec::new(), missing: Vec::new() };
        for place in places {
            match place.open(prefix) {
                Ok((dir, folder, controllers)) => {
                    all.sites.push(Site { unified: place.unified, folder, dir, controllers });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                Err(error) => {
                    let why = format!("{}: {error}", place.own.display());
                    all.missing.extend(place.controllers.iter().map(|one| (*one, why.clone())));
                }
            }
        }
        all.settle();
        all.sweep();
        Ok(all)
    }

    /// Every controller is used from one hierarchy only: v1 where it is mounted, except that v2 freezes better.
    fn settle(&mut self) {
        for controller in Controller::ALL {
            let prefer_unified = controller == Controller::Freezer;
            let holders = || self.sites.iter().enumerate().filter(|(_, site)| site.controllers.contains(&controller));
            let chosen = holders().find(|(_, site)| site.unified == prefer_unified).or_else(|| holders().next());
            let chosen = chosen.map(|(index, _)| index);
            for (index, site) in self.sites.iter_mut().enumerate() {
                if Some(index) != chosen {
                    site.controllers.retain(|one| *one != controller);
                }
            }
            if chosen.is_some() {
                self.missing.retain(|(one, _)| *one != controller);
            } else if !self.missing.iter().any(|(one, _)| *one == controller) {
                self.missing.push((controller, "no mounted hierarchy has it".into()));
            }
        }
        for site in self.sites.iter().filter(|site| site.controllers.is_empty()) {
            // Best effort: an empty folder of ours does no harm.
            let _ = std::fs::remove_dir(&site.folder);
        }
        self.sites.retain(|site| !site.controllers.is_empty());
    }

    fn site(&self, controller: Controller) -> Option<&Site> {
        self.sites.iter().find(|site| site.controllers.contains(&controller))
    }

    /// Where the server reads figures.
    pub(crate) fn groups(&self) -> Groups {
        let group =
            |controller| self.site(controller).map(|site| Group { unified: site.unified, folder: site.folder.clone() });
        Groups {
            memory: group(Controller::Memory),
            cpu: group(Controller::Cpu),
            cpu_accounting: group(Controller::CpuAccounting),
            pids: group(Controller::Pids),
            freezer: group(Controller::Freezer),
        }
    }

    /// One line per controller for `doctor`.
    pub(crate) fn describe(&self) -> Vec<(String, String)> {
        let one = |controller: Controller| {
            let place = match self.site(controller) {
                Some(site) => format!("{} {}", if site.unified { "v2" } else { "v1" }, site.folder.display()),
                None => {
                    let why = self.missing.iter().find(|(one, _)| *one == controller);
                    format!("missing: {}", why.map_or("not mounted", |(_, why)| why))
                }
            };
            (controller.name().to_owned(), place)
        };
        Controller::ALL.into_iter().map(one).collect()
    }

    /// Makes the groups of one sandbox and sets their limits. On failure the caller removes what exists.
    pub(crate) fn create(&self, name: &str, limits: &Limits) -> Result<Made, (String, io::Error)> {
        let mut made = Made::default();
        for site in &self.sites {
            let at = |what: &str| format!("the cgroup {}/{name}{what}", site.folder.display());
            rustix::fs::mkdirat(&site.dir, name, Mode::from_raw_mode(0o755)).map_err(|e| (at(""), e.into()))?;
            for controller in &site.controllers {
                let writes =
                    if site.unified { v2::limits(*controller, limits) } else { v1::limits(*controller, limits) };
                for (file, value, required) in writes {
                    let written = write_at(&site.dir, &format!("{name}/{file}"), &value);
                    if let Err(error) = written
                        && required
                    {
                        return Err((at(&format!("/{file}")), error));
                    }
                }
                let knobs = if site.unified { v2::knobs(*controller) } else { v1::knobs(*controller) };
                for (knob, file) in knobs {
                    if let Ok(fd) = open_at(&site.dir, &format!("{name}/{file}"), OFlags::WRONLY) {
                        made.knobs.push((*knob, fd));
                    }
                }
            }
            if site.unified {
                made.unified = Some(open_at(&site.dir, name, OFlags::RDONLY).map_err(|e| (at(""), e))?);
            } else {
                // A process that writes "0" to `tasks` moves only its own thread, for which the kernel needs no global
                // lock. `cgroup.procs` takes it and waits for every CPU to pass a quiet point: milliseconds.
                let tasks = open_at(&site.dir, &format!("{name}/tasks"), OFlags::WRONLY);
                made.join.push(tasks.map_err(|e| (at("/tasks"), e))?);
            }
        }
        made.knobs.sort_by_key(|(knob, _)| *knob as u32);
        Ok(made)
    }

    /// Ends everything in a sandbox, frozen or not.
    pub(crate) fn kill(&self, name: &str) {
        let site = self.site(Controller::Freezer).or_else(|| self.sites.first());
        site.into_iter().for_each(|site| site.kill(name));
    }

    /// As [`Cgroups::kill`], wherever a process may have got to.
    pub(crate) fn kill_everywhere(&self, name: &str) {
        self.sites.iter().for_each(|site| site.kill(name));
    }

    /// Removes a sandbox's groups. False when something is still in one of them: kill and try again.
    pub(crate) fn remove(&self, name: &str) -> bool {
        let gone = |site: &Site| {
            matches!(rustix::fs::unlinkat(&site.dir, name, AtFlags::REMOVEDIR), Ok(()) | Err(rustix::io::Errno::NOENT))
        };
        // Every site is tried, even when an earlier one refused.
        self.sites.iter().filter(|site| !gone(site)).count() == 0
    }

    /// Kills and removes what an earlier launcher left under our prefix.
    fn sweep(&self) {
        for _ in 0..200 {
            let left: Vec<String> = self.leftovers();
            if left.is_empty() {
                return;
            }
            for name in &left {
                self.kill_everywhere(name);
                self.remove(name);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn leftovers(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for site in &self.sites {
            let Ok(entries) = std::fs::read_dir(&site.folder) else { continue };
            names.extend(
                entries
                    .flatten()
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .filter_map(|entry| entry.file_name().into_string().ok()),
            );
        }
        names.sort();
        names.dedup();
        names
    }

    /// Removes everything of ours, at the end.
    pub(crate) fn remove_all(&self) {
        self.sweep();
        for site in &self.sites {
            // A folder that is still busy is swept by the next start.
            let _ = std::fs::remove_dir(&site.folder);
        }
    }
}

impl Site {
    fn kill(&self, name: &str) {
        if self.unified {
            v2::kill(&self.dir, name);
        } else {
            v1::kill(&self.dir, name, self.controllers.contains(&Controller::Freezer));
        }
    }
}

impl detect::Place {
    fn open(&self, prefix: &str) -> io::Result<(OwnedFd, PathBuf, Vec<Controller>)> {
        let mut controllers = self.controllers.clone();
        if self.unified {
            controllers = v2::enable(&self.own)?;
        }
        let folder = self.own.join(prefix);
        let dir = take(&folder)?;
        if self.unified {
            v2::delegate(&folder, &mut controllers);
        }
        Ok((dir, folder, controllers))
    }
}

/// Makes our folder, or takes over the one of a launcher that has just ended. That one removes it as the last thing it does:
/// then what we hold is a folder that is no more, and we make another.
fn take(folder: &Path) -> io::Result<OwnedFd> {
    loop {
        match std::fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let dir = match open_path(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            dir => dir?,
        };
        lock(&dir, folder)?;
        let held = rustix::fs::fstat(&dir)?;
        match rustix::fs::stat(folder) {
            Ok(there) if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino) => return Ok(dir),
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Two servers on one data directory would sweep each other's sandboxes away. The remains of a killed launcher may hold
/// the lock a moment longer.
fn lock(dir: &OwnedFd, folder: &Path) -> io::Result<()> {
    for _ in 0..100 {
        match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(std::time::Duration::from_millis(10)),
            Ok(()) | Err(_) => return Ok(()),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{} is in use: another server runs on this data directory; stop it first", folder.display()),
    ))
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn open_at(dir: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, path, flags | OFlags::CLOEXEC, Mode::empty())?)
}

fn write_at(dir: impl AsFd, path: &str, value: &str) -> io::Result<()> {
    let file = open_at(dir, path, OFlags::WRONLY)?;
    rustix::io::write(&file, value.as_bytes())?;
    Ok(())
}

fn read_at(dir: impl AsFd, path: &str) -> io::Result<String> {
    let file = std::fs::File::from(open_at(dir, path, OFlags::RDONLY)?);
    io::read_to_string(file)
}

/// Kills every process listed in a `cgroup.procs` file (ids of our own namespace).
fn kill_listed(dir: &OwnedFd, name: &str) {
    let Ok(listed) = read_at(dir, &format!("{name}/cgroup.procs")) else { return };
    for pid in listed.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1) {
        crate::sys::kill(pid, libc::SIGKILL);
    }
}
