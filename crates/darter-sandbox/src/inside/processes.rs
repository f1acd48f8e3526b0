//! `/proc` of a sandbox: processes only, or, for a workspace, also what `ps`, `top`, Java and Go read at their start.
//!
//! The kernel's whole `/proc` is never shown. Of the wider one everything that is not named here is covered, so that a
//! file of a later kernel is hidden until somebody has thought about it; and no process of another user id (the first
//! process, for one) is visible in either.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};

use crate::spec::Profile;
use crate::sys;

/// What a workspace sees besides processes. All of it can be had by system calls too, but for the machine's load.
const SHOWN: [&str; 8] = ["cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys", "uptime", "version"];

/// A `/proc` that hangs nowhere yet.
pub(super) struct Processes {
    mount: OwnedFd,
    /// It shows the kernel's files too, and these must be covered.
    wide: bool,
}

impl Processes {
    /// Made while the host's is in view: a plain user may only have a new one then. Where that one is itself covered in
    /// places (a container), a wide one is refused and the narrow one has to do.
    pub(super) fn new(profile: Profile) -> io::Result<Self> {
        if profile == Profile::Workspace
            && let Ok(mount) = make(&[("hidepid", "invisible")])
        {
            return Ok(Self { mount, wide: true });
        }
        let mount = make(&[("hidepid", "invisible"), ("subset", "pid")])?;
        Ok(Self { mount, wide: false })
    }

    /// Hangs it at `/proc` of the new root.
    pub(super) fn show(self) -> io::Result<()> {
        hang(self.mount.as_fd(), Path::new("/proc"))?;
        if self.wide { cover() } else { Ok(()) }
    }
}

fn make(options: &[(&str, &str)]) -> io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, quiet())?)
}

fn quiet() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn hang(mount: impl AsFd, target: &Path) -> io::Result<()> {
    let onto = sys::open_checked(None, target, libc::O_PATH, libc::RESOLVE_NO_SYMLINKS)?;
    sys::attach_mount(mount.as_fd(), onto.as_fd())
}

/// Puts a file or folder that nobody may open over everything that is not to be seen, and makes `/proc/sys` read-only.
fn cover() -> io::Result<()> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("size", "4k"), ("nr_inodes", "4"), ("mode", "000")] {
        fsconfig_set_string(context.as_fd(), key, value)?;
    }
    fsconfig_create(context.as_fd())?;
    let nothing = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, quiet())?;
    let make = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    drop(openat(&nothing, "file", make, Mode::empty())?);
    mkdirat(&nothing, "folder", Mode::empty())?;
    let look = |name: &str| sys::open_checked(Some(nothing.as_fd()), Path::new(name), libc::O_PATH, 0);
    let (file, folder) = (look("file")?, look("folder")?);
    for (path, is_folder) in hidden()? {
        let cover = sys::clone_tree(if is_folder { folder.as_fd() } else { file.as_fd() })?;
        sys::set_mount_attributes(cover.as_fd(), libc::MOUNT_ATTR_RDONLY, None)?;
        hang(cover.as_fd(), &path)?;
    }
    let sys_folder = sys::open_checked(None, Path::new("/proc/sys"), libc::O_PATH, libc::RESOLVE_NO_SYMLINKS)?;
    let settings = sys::clone_tree(sys_folder.as_fd())?;
    sys::set_mount_attributes(settings.as_fd(), libc::MOUNT_ATTR_RDONLY, None)?;
    sys::attach_mount(settings.as_fd(), sys_folder.as_fd())
}

/// The kernel's own entries that are not to be seen. Processes have numbers, and links lead to one's own process.
fn hidden() -> io::Result<Vec<(PathBuf, bool)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let shown =
            name.to_str().is_some_and(|name| SHOWN.contains(&name) || name.bytes().all(|byte| byte.is_ascii_digit()));
        if !shown && !kind.is_symlink() {
            all.push((entry.path(), kind.is_dir()));
        }
    }
    Ok(all)
}
