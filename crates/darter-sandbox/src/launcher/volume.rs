//! Mounts an image file as a file system of its own, for one sandbox.
//!
//! The image becomes a loop device that lets go of itself when the mount is gone, whatever ended the sandbox: its last
//! process takes the mount namespace with it, that the mount, that the device. There is nothing to sweep. A lock on the
//! open file, which the device holds on to, keeps a second one from being mounted: that would ruin the file system.
//!
//! No option, name or number here comes from a tenant, and a tenant never writes an image other than through a mount.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
};

use crate::sys;

/// An ended sandbox's file system is written out before its image is free.
const PATIENCE: Duration = Duration::from_secs(4);
/// Other programs of the host may take the device that was free a moment ago.
const ATTEMPTS: u32 = 64;

/// `discard` gives the host back what is deleted inside; `noinit_itable` keeps the kernel from writing out tables that
/// are holes, which read as zeros anyway; a damaged file system is never written to.
const FLAGS: [&str; 2] = ["discard", "noinit_itable"];
const ON_DAMAGE: (&str, &str) = ("errors", "remount-ro");

/// The file system in `image` as a mount that hangs nowhere yet.
pub(super) fn mount(image: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    claim(image)?;
    let (device, name) = attach(image, path)?;
    let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", &name)?;
    fsconfig_set_string(context.as_fd(), ON_DAMAGE.0, ON_DAMAGE.1)?;
    for flag in FLAGS {
        fsconfig_set_flag(context.as_fd(), flag)?;
    }
    fsconfig_create(context.as_fd()).map_err(explain)?;
    // From here on the file system holds the device.
    drop(device);
    let quiet = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, quiet)?)
}

fn explain(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::INVAL | rustix::io::Errno::UCLEAN => {
            io::Error::other("the file system in it is damaged: check it with `e2fsck -f`")
        }
        rustix::io::Errno::NODEV => io::Error::other("this kernel has no ext4"),
        error => error.into(),
    }
}

/// Taken for as long as anything holds this open file: us now, the loop device from then on.
fn claim(image: &OwnedFd) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match rustix::fs::flock(image, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::other("it is in use by another sandbox, or being copied"));
            }
            other => return Ok(other?),
        }
    }
}

/// A free loop device made of `image`, open, and its path.
fn attach(image: &OwnedFd, path: &Path) -> io::Result<(OwnedFd, String)> {
    let hint = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("there are no loop devices here: load the kernel module `loop`"),
        _ => error,
    };
    let open = |path: &str| sys::open_checked(None, Path::new(path), libc::O_RDWR, libc::RESOLVE_NO_SYMLINKS);
    let control = open("/dev/loop-control").map_err(hint)?;
    for _ in 0..ATTEMPTS {
        let name = format!("/dev/loop{}", sys::free_loop_device(control.as_fd())?);
        let device = open(&name).map_err(hint)?;
        match sys::configure_loop_device(device.as_fd(), image.as_fd().as_raw_fd(), path) {
            Ok(()) => return Ok((device, name)),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("other programs of the host keep taking the loop devices"))
}
