//! Removing trees. A link is removed, never what it leads to.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, fchmod, unlinkat};
use rustix::io::Errno;

use super::{Step, Walk};

/// Removes an entry with all that is in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() {
        clear(path)?;
        unlinkat(CWD, path, AtFlags::REMOVEDIR)?;
    } else {
        unlinkat(CWD, path, AtFlags::empty())?;
    }
    Ok(())
}

/// Removes what has this name in an open folder.
pub(crate) fn remove_at(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        other => return Ok(other?),
    }
    clear_walk(Walk::of(rustix::fs::openat(folder, name, super::FOLDER, Mode::empty())?))?;
    Ok(unlinkat(folder, name, AtFlags::REMOVEDIR)?)
}

/// Removes all that is in a folder.
pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    clear_walk(Walk::new(folder)?)
}

fn clear_walk(mut walk: Walk) -> io::Result<()> {
    while let Some(step) = walk.next()? {
        let (found, flags) = match step {
            Step::Entry(found) if found.kind() == rustix::fs::FileType::Directory => continue,
            Step::Entry(found) => (found, AtFlags::empty()),
            Step::Leave(found) => (found, AtFlags::REMOVEDIR),
            Step::Closed(found, _) => {
                // Nobody else can lock us out of what is ours: open it, and begin again below it.
                unlock(&mut walk, &found)?;
                (found, AtFlags::REMOVEDIR)
            }
        };
        take_away(walk.folder()?, &found.name, flags)?;
    }
    Ok(())
}

/// A folder that may not be read: made readable, and emptied.
fn unlock(walk: &mut Walk, found: &super::Found) -> io::Result<()> {
    let parent = walk.folder()?;
    match rustix::fs::chmodat(parent, &found.name, Mode::RWXU, AtFlags::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    }
    let folder = rustix::fs::openat(parent, &found.name, super::FOLDER, Mode::empty())?;
    // One level at a time: what is locked further in is reached when this is walked again.
    let mut inner = Walk::of(folder);
    let mut locked = Vec::new();
    while let Some(step) = inner.next()? {
        match step {
            Step::Entry(found) if found.kind() == rustix::fs::FileType::Directory => {}
            Step::Entry(found) => take_away(inner.folder()?, &found.name, AtFlags::empty())?,
            Step::Leave(found) => take_away(inner.folder()?, &found.name, AtFlags::REMOVEDIR)?,
            Step::Closed(found, error) => {
                rustix::fs::chmodat(inner.folder()?, &found.name, Mode::RWXU, AtFlags::empty())?;
                locked.push(error);
            }
        }
    }
    match locked.pop() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn take_away(folder: BorrowedFd<'_>, name: &std::ffi::CStr, flags: AtFlags) -> io::Result<()> {
    match unlinkat(folder, name, flags) {
        Err(Errno::ACCESS) => {
            fchmod(folder, Mode::RWXU)?;
            Ok(unlinkat(folder, name, flags)?)
        }
        // Somebody else was quicker.
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}
