//! Walks a tree in the order of its names, each folder before what is in it. Keeps few descriptors open and follows no
//! link. What goes away, or may not be read, is told and passed over.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use super::names::Names;
use super::{FOLDER, descend, kind};

/// Folders that are held open, of those on the way to where we are.
const OPEN: usize = 48;

/// What a walk comes to.
#[derive(Debug)]
pub(crate) enum Step {
    Entry(Found),
    /// Everything in this folder was told.
    Leave(Found),
    /// It is there and cannot be read.
    Closed(Found, io::Error),
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// From the root, without a slash before it.
    pub(crate) path: Vec<u8>,
    pub(crate) name: CString,
    pub(crate) stat: Stat,
}

impl Found {
    pub(crate) fn kind(&self) -> FileType {
        kind(self.stat.st_mode)
    }
}

struct Frame {
    /// `None`: closed meanwhile, to be opened again when it is needed.
    folder: Option<OwnedFd>,
    /// The folder itself, in its parent.
    name: CString,
    stat: Stat,
    /// How much of the walk's path leads to it: ten thousand levels must not hold ten thousand paths.
    path: usize,
    names: Names,
    next: usize,
}

pub(crate) struct Walk {
    root: OwnedFd,
    frames: Vec<Frame>,
    /// To the folder where we are.
    path: Vec<u8>,
    /// The folder that was told last and is entered next.
    pending: Option<Found>,
    started: bool,
}

impl Walk {
    /// Of the folder `root`, which is the only name that may be a link.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(Self::of(rustix::fs::open(root, flags, Mode::empty())?))
    }

    /// Of an open folder.
    pub(crate) fn of(root: OwnedFd) -> Self {
        Self { root, frames: Vec::new(), path: Vec::new(), pending: None, started: false }
    }

    /// Does not enter the folder that was told last.
    pub(crate) fn skip(&mut self) {
        self.pending = None;
    }

    /// The folder that holds what was told last.
    pub(crate) fn folder(&mut self) -> io::Result<BorrowedFd<'_>> {
        match self.frames.last_mut() {
            Some(frame) => open_again(&self.root, &self.path, frame),
            None => Ok(self.root.as_fd()),
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Step>> {
        if !self.started {
            self.started = true;
            let stat = fstat(&self.root)?;
            let folder = descend(self.root.as_fd(), b"")?;
            let names = Names::read(folder.as_fd())?;
            let name = CString::default();
            self.frames.push(Frame { folder: Some(folder), name, stat, path: 0, names, next: 0 });
        }
        if let Some(found) = self.pending.take()
            && let Err(error) = self.enter(&found)
        {
            return Ok(Some(Step::Closed(found, error)));
        }
        loop {
            let Some(frame) = self.frames.last_mut() else { return Ok(None) };
            let Some(name) = frame.names.get(frame.next).map(CStr::to_owned) else {
                return Ok(self.leave().map(Step::Leave));
            };
            frame.next += 1;
            let mut path = Vec::with_capacity(self.path.len() + name.count_bytes() + 1);
            if !self.path.is_empty() {
                path.extend_from_slice(&self.path);
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let folder = match open_again(&self.root, &self.path, frame) {
                Ok(folder) => folder,
                // The folder itself is gone, and with it the rest of its names.
                Err(_) => {
                    frame.next = usize::MAX;
                    continue;
                }
            };
            match statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    let found = Found { path, name, stat };
                    if found.kind() == FileType::Directory {
                        self.pending = Some(found.clone());
                    }
                    return Ok(Some(Step::Entry(found)));
                }
                Err(Errno::NOENT | Errno::ACCESS) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn enter(&mut self, found: &Found) -> io::Result<()> {
        let folder = openat(self.folder()?, &found.name, FOLDER, Mode::empty())?;
        // One whose names may be read and not looked up is as good as closed.
        statat(&folder, c".", AtFlags::SYMLINK_NOFOLLOW)?;
        let names = Names::read(folder.as_fd())?;
        if let Some(far) = self.frames.len().checked_sub(OPEN) {
            self.frames[far].folder = None;
        }
        self.path.clone_from(&found.path);
        let (name, path) = (found.name.clone(), found.path.len());
        self.frames.push(Frame { folder: Some(folder), name, stat: found.stat, path, names, next: 0 });
        Ok(())
    }

    /// Back to the folder above; `None`: there is none.
    fn leave(&mut self) -> Option<Found> {
        let left = self.frames.pop()?;
        let parent = self.frames.last_mut()?;
        if let (None, Some(folder)) = (&parent.folder, &left.folder) {
            parent.folder = above(folder.as_fd(), &parent.stat);
        }
        let path = self.path.clone();
        self.path.truncate(parent.path);
        Some(Found { path, name: left.name, stat: left.stat })
    }
}

/// The folder above, when it is still the one that we came through: cheaper than coming down from the root again.
fn above(folder: BorrowedFd<'_>, was: &Stat) -> Option<OwnedFd> {
    let folder = openat(folder, c"..", FOLDER, Mode::empty()).ok()?;
    same(&folder, was).then_some(folder)
}

fn same(folder: &OwnedFd, was: &Stat) -> bool {
    fstat(folder).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (was.st_dev, was.st_ino))
}

fn open_again<'a>(root: &OwnedFd, path: &[u8], frame: &'a mut Frame) -> io::Result<BorrowedFd<'a>> {
    if frame.folder.is_none() {
        let folder = descend(root.as_fd(), path)?;
        if !same(&folder, &frame.stat) {
            return Err(io::Error::from(Errno::STALE));
        }
        frame.folder = Some(folder);
    }
    frame.folder.as_ref().map(AsFd::as_fd).ok_or_else(|| io::Error::from(Errno::BADF))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::mkdirat;

    use super::*;

    fn steps(root: &Path) -> Vec<String> {
        let mut walk = Walk::new(root).unwrap();
        let mut seen = Vec::new();
        while let Some(step) = walk.next().unwrap() {
            let (sign, found) = match step {
                Step::Entry(found) => ("", found),
                Step::Leave(found) => ("-", found),
                Step::Closed(found, _) => ("!", found),
            };
            seen.push(format!("{sign}{}", String::from_utf8_lossy(&found.path)));
        }
        seen
    }

    #[test]
    fn a_tree_is_walked_in_order_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        std::fs::create_dir_all(path("b/c")).unwrap();
        std::fs::write(path("b/c/x"), "").unwrap();
        std::fs::write(path("a"), "").unwrap();
        symlink("/", path("z")).unwrap();
        symlink("..", path("b/up")).unwrap();
        assert_eq!(steps(root.path()), ["a", "b", "b/c", "b/c/x", "-b/c", "b/up", "-b", "z"]);
    }

    /// Ten thousand levels, with a file beside each, so that every folder is needed again on the way back.
    #[test]
    fn ten_thousand_levels_are_walked_and_removed() {
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at = rustix::fs::open(root.path(), flags, Mode::empty()).unwrap();
        for _ in 0..10_000 {
            mkdirat(&at, "d", Mode::RWXU).unwrap();
            openat(&at, "z", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            at = openat(&at, "d", flags, Mode::empty()).unwrap();
        }
        drop(at);
        let mut walk = Walk::new(root.path()).unwrap();
        let (mut entries, mut leaves) = (0, 0);
        while let Some(step) = walk.next().unwrap() {
            match step {
                Step::Entry(_) => entries += 1,
                Step::Leave(_) => leaves += 1,
                Step::Closed(..) => panic!("everything can be read"),
            }
        }
        assert_eq!((entries, leaves), (20_000, 10_000));
        crate::tree::remove::clear(root.path()).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
