//! The file system of a sandbox: an empty root in memory, the binds, `/dev`, `/proc`, scratch, then read-only.
//!
//! Built after the host's root is gone from view and before any tenant's process exists, so no path here can be turned
//! into another one by a link.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::processes::Processes;
use super::{Failed, Inside, at};
use crate::paths::is_plain;
use crate::spec::{Profile, Scratch, WORKSPACE_TERMINALS};
use crate::sys;

/// The devices a sandbox has: name, major, minor.
pub(crate) const DEVICES: [(&str, u32, u32); 5] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];

/// The controlling terminal of whoever opens it, for people who type.
const TERMINAL: (&str, u32, u32) = ("tty", 5, 0);

/// Most pseudo-terminals open at a time, outside of workspaces.
const TERMINALS: u32 = 8;

/// Folders of the sandbox's own that a description may not put something at or below.
const OURS: [&str; 4] = ["/dev", "/proc", "/tmp", "/work"];

/// What is under `/` besides: only directories, links and small files, so a few pages do.
const ROOT_OPTIONS: &str = "mode=755,size=16m,nr_inodes=4096";

/// Makes the root and moves into it.
pub(super) fn build(inside: &Inside<'_>) -> Result<(), Failed> {
    let root = &inside.plan.root;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // A plain user may only have a new /proc while an old one is in view.
    let processes = Processes::new(inside.plan.profile).map_err(at("making /proc"))?;
    enter_empty_root()?;
    for ours in OURS {
        std::fs::create_dir(ours).map_err(at(format!("making {ours}")))?;
    }
    for link in &root.links {
        let step = || at(format!("making the link {}", link.at.display()));
        let place = prepare(&link.at).map_err(step())?;
        symlink(&link.to, place).map_err(step())?;
    }
    for file in &root.files {
        let step = || at(format!("writing {}", file.at.display()));
        let place = prepare(&file.at).map_err(step())?;
        write_file(place, &file.content).map_err(step())?;
    }
    for point in root.attach_points.iter().chain(&root.writable_points) {
        let step = || at(format!("making {}", point.display()));
        std::fs::create_dir_all(prepare(point).map_err(step())?).map_err(step())?;
    }
    if let Some(bare) = root.writable_points.iter().find(|point| point.parent() == Some(Path::new("/"))) {
        return Err(at(format!("making {}", bare.display()))(io::Error::other("needs a parent folder of its own")));
    }
    for (bind, mount) in root.binds.iter().zip(&inside.binds) {
        let step = || at(format!("showing {} at {}", bind.source.display(), bind.target.display()));
        hang(mount, &bind.target).map_err(step())?;
    }
    devices(inside)?;
    scratch("/tmp", root.tmp, "mode=1777".into())?;
    let ids = inside.ids.workload;
    scratch("/work", root.work, format!("mode=755,uid={ids},gid={ids}"))?;
    processes.show().map_err(at("mounting /proc"))?;
    seal("/dev", libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC)?;
    seal("/", libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)
}

fn enter_empty_root() -> Result<(), Failed> {
    sys::make_mounts_private().map_err(at("making the mounts private"))?;
    // Any folder will do: it is only covered in this namespace, and only until the pivot.
    let over = ["/tmp", "/run", "/mnt", "/var"].into_iter().find(|folder| Path::new(folder).is_dir());
    let over = over.ok_or_else(|| at("finding a folder to mount on")(io::ErrorKind::NotFound.into()))?;
    let place = CString::new(over).expect("the names above have no NUL byte");
    sys::mount_new(c"tmpfs", &place, libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC, ROOT_OPTIONS)
        .map_err(at("mounting the root"))?;
    std::env::set_current_dir(over).map_err(at("entering the root"))?;
    sys::pivot_here().map_err(at("leaving the host's root"))?;
    std::env::set_current_dir("/").map_err(at("entering the root"))
}

/// Checks a path of the description and makes its parent folders.
fn prepare(path: &Path) -> io::Result<&Path> {
    let inside_ours = OURS.iter().any(|ours| path.starts_with(ours));
    if !is_plain(path) || path == Path::new("/") || inside_ours {
        return Err(io::Error::other("not a plain absolute path outside /dev, /proc, /tmp and /work"));
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(path)
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if content.len() > 16 << 10 {
        return Err(io::Error::other("longer than 16 KiB; bind a file instead"));
    }
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?.write_all(content)
}

fn hang(mount: &OwnedFd, target: &Path) -> io::Result<()> {
    if !target.exists() {
        let target = prepare(target)?;
        let kind = rustix::fs::fstat(mount)?.st_mode;
        if FileType::from_raw_mode(kind) == FileType::Directory {
            std::fs::DirBuilder::new().recursive(true).create(target)?;
        } else {
            write_file(target, b"")?;
        }
    } else if !is_plain(target) || OURS.iter().any(|ours| target.starts_with(ours)) {
        return Err(io::Error::other("not a plain absolute path outside /dev, /proc, /tmp and /work"));
    }
    let onto = sys::open_checked(None, target, libc::O_PATH, libc::RESOLVE_NO_SYMLINKS)?;
    sys::attach_mount(mount.as_fd(), onto.as_fd())
}

fn devices(inside: &Inside<'_>) -> Result<(), Failed> {
    let step = |what: &str| at(format!("filling /dev: {what}"));
    let quiet = libc::MS_NOSUID | libc::MS_NOEXEC;
    sys::mount_new(c"tmpfs", c"/dev", quiet, "mode=755,size=64k,nr_inodes=64").map_err(step("tmpfs"))?;
    let workspace = inside.plan.profile == Profile::Workspace;
    let terminal = (workspace && inside.ids.own).then_some(&TERMINAL);
    for (index, (name, major, minor)) in DEVICES.iter().chain(terminal).enumerate() {
        let path = PathBuf::from("/dev").join(name);
        match inside.devices.get(index) {
            Some(mount) => {
                write_file(&path, b"").map_err(step(name))?;
                let onto = sys::open_checked(None, &path, libc::O_PATH, libc::RESOLVE_NO_SYMLINKS);
                sys::attach_mount(mount.as_fd(), onto.map_err(step(name))?.as_fd()).map_err(step(name))?;
            }
            None => {
                let mode = Mode::from_raw_mode(0o666);
                mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(*major, *minor))
                    .and_then(|()| rustix::fs::chmod(&path, mode))
                    .map_err(|e| step(name)(e.into()))?;
            }
        }
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(to, Path::new("/dev").join(name)).map_err(step(name))?;
    }
    for folder in ["/dev/pts", "/dev/shm"] {
        std::fs::create_dir(folder).map_err(step(folder))?;
    }
    let most = if workspace { WORKSPACE_TERMINALS } else { TERMINALS };
    let terminals = format!("newinstance,ptmxmode=0666,mode=0620,max={most}");
    sys::mount_new(c"devpts", c"/dev/pts", quiet, &terminals).map_err(step("devpts"))?;
    scratch("/dev/shm", inside.plan.root.tmp, "mode=1777".into())
}

fn scratch(place: &str, limit: Scratch, options: String) -> Result<(), Failed> {
    let at_place = CString::new(place).expect("our own names have no NUL byte");
    // The kernel reads zero as "no limit".
    let (size, inodes) = (limit.size.max(4096), limit.inodes.max(2));
    let options = format!("{options},size={size},nr_inodes={inodes}");
    sys::mount_new(c"tmpfs", &at_place, libc::MS_NOSUID | libc::MS_NODEV, &options)
        .map_err(at(format!("mounting {place}")))
}

fn seal(place: &str, attributes: u64) -> Result<(), Failed> {
    let step = || at(format!("making {place} read-only"));
    let mount = sys::open_checked(None, Path::new(place), libc::O_PATH, libc::RESOLVE_NO_SYMLINKS).map_err(step())?;
    sys::set_mount_attributes(mount.as_fd(), attributes, None).map_err(step())
}
