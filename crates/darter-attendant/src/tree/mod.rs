//! Whole trees, hostile ones: links, pipes, a million names, ten thousand levels, and all of it changing meanwhile. Every
//! step goes through an open folder, so nothing here ever leaves the tree it was given, and nothing recurses.

mod copy;
mod names;
mod remove;
mod under;
mod walk;

pub(crate) use copy::copy;
pub(crate) use remove::{clear, remove, remove_at};
pub(crate) use under::Under;
pub(crate) use walk::{Found, Step, Walk};

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat, openat2};

/// Opening a folder without following a link.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
/// The kernel takes paths of 4,096 bytes at a time.
const STRETCH: usize = 4000;

/// The kind of an entry, of its `st_mode`.
pub(crate) fn kind(mode: u32) -> FileType {
    FileType::from_raw_mode(mode)
}

/// A regular file in an open folder, for reading; an error when it is anything else by now.
pub(crate) fn open_file(folder: BorrowedFd<'_>, name: &std::ffi::CStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty())?;
    match kind(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        _ => Err(io::Error::other("is no regular file any more")),
    }
}

/// Opens a folder below `root` by its relative path, however long, through no link.
fn descend(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<OwnedFd> {
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let open = |from: BorrowedFd<'_>, path: &[u8]| openat2(from, path, FOLDER, Mode::empty(), inside);
    let mut rest = path;
    let mut at = open(root, b".")?;
    while !rest.is_empty() {
        let cut = match rest.len() <= STRETCH {
            true => rest.len(),
            false => rest[..STRETCH].iter().rposition(|byte| *byte == b'/').unwrap_or(rest.len()),
        };
        at = open(at.as_fd(), &rest[..cut])?;
        rest = rest.get(cut + 1..).unwrap_or_default();
    }
    Ok(at)
}
