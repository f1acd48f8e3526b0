//! Making things below a folder by relative paths that somebody else chose. Goes through no link and never above the root.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, mkdirat, openat};
use rustix::io::Errno;

use super::{FOLDER, descend};

/// Remembers the folder that was asked for last: the next is mostly the same, or in it, or the one above.
pub(crate) struct Under {
    root: OwnedFd,
    at: Vec<u8>,
    folder: OwnedFd,
    /// Which folders we came through, those nearest last: a way back up is only taken to one of them.
    through: Vec<(u64, u64)>,
}

impl Under {
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        let folder = descend(root.as_fd(), b"")?;
        Ok(Self { root, at: Vec::new(), folder, through: Vec::new() })
    }

    /// The folder at `path`, which must be there.
    pub(crate) fn folder(&mut self, path: &[u8]) -> io::Result<BorrowedFd<'_>> {
        if path == self.at {
            return Ok(self.folder.as_fd());
        }
        if let Some(name) = below(&self.at, path) {
            let next = openat(&self.folder, name, FOLDER, Mode::empty())?;
            self.through.push(identity(&self.folder)?);
            self.folder = next;
        } else if let Some(next) = self.above(path) {
            self.folder = next;
        } else {
            self.folder = descend(self.root.as_fd(), path)?;
            self.through.clear();
        }
        self.at = path.to_vec();
        Ok(self.folder.as_fd())
    }

    /// The folder above, when it is the one that is asked for and still the one that we came through.
    fn above(&mut self, path: &[u8]) -> Option<OwnedFd> {
        if self.at.is_empty() || split(&self.at).0 != path {
            return None;
        }
        let was = self.through.pop()?;
        let next = openat(&self.folder, c"..", FOLDER, Mode::empty()).ok()?;
        (identity(&next).ok()? == was).then_some(next)
    }

    /// The folder that `path` is in, and its last part.
    pub(crate) fn parent<'a>(&mut self, path: &'a [u8]) -> io::Result<(BorrowedFd<'_>, &'a [u8])> {
        let (parent, name) = split(path);
        Ok((self.folder(parent)?, name))
    }

    /// The folder that `path` is in, made with all above it where it is missing.
    pub(crate) fn make_parent<'a>(&mut self, path: &'a [u8]) -> io::Result<(BorrowedFd<'_>, &'a [u8])> {
        let (parent, name) = split(path);
        if parent != self.at && self.folder(parent).is_err() {
            let ends = parent.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            for end in ends.chain([parent.len()]) {
                let (above, missing) = split(&parent[..end]);
                match mkdirat(self.folder(above)?, missing, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok((self.folder(parent)?, name))
    }
}

fn identity(folder: &OwnedFd) -> io::Result<(u64, u64)> {
    let stat = fstat(folder)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Folder and name of a relative path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// The one name that leads from `folder` to `path`.
fn below<'a>(folder: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    let rest = match folder {
        b"" => path,
        folder => path.strip_prefix(folder)?.strip_prefix(b"/")?,
    };
    (!rest.is_empty() && !rest.contains(&b'/')).then_some(rest)
}
