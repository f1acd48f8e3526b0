//! The folders that a session watches through inotify: which of its watches want to know of which, as folders come and go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};

use super::pending::{Change, Pending};
use crate::excludes::Excludes;
use crate::fault::Fault;
use crate::files::write;
use crate::params;

/// Most folders of a session.
const FOLDERS: usize = 8192;
/// Most watches of a session.
const WATCHES: usize = 1024;
/// Most events that are read at a time.
const EVENTS: usize = 20_000;

const FLAGS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::EXCL_UNLINK);

/// What somebody wants to know of.
pub(super) struct Wanted {
    /// What was asked for, and what changes of the whole are told under.
    root: PathBuf,
    /// The folder that is watched; of a file, the one that it is in.
    folder: PathBuf,
    /// Of a file: nothing but this.
    only: Option<OsString>,
    recursive: bool,
    excludes: Excludes,
}

impl Wanted {
    pub(super) fn new(path: &Path, recursive: bool, excludes: &[String]) -> Result<Self, Fault> {
        let excludes = Excludes::new(excludes)?;
        let (folder, only) = match std::fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => {
                let (folder, name) = params::last(path)?;
                (folder.to_owned(), Some(name.to_owned()))
            }
            _ => (path.to_owned(), None),
        };
        Ok(Self { root: path.to_owned(), folder, recursive: recursive && only.is_none(), only, excludes })
    }

    fn excluded(&self, path: &Path) -> bool {
        let Ok(relative) = path.strip_prefix(&self.folder) else { return false };
        self.excludes.match_path(relative)
    }

    fn wants(&self, folder: &Path, name: &OsStr) -> bool {
        match &self.only {
            Some(only) => only == name,
            None => (self.recursive || folder == self.folder) && !self.excluded(&folder.join(name)),
        }
    }
}

pub(super) struct Folders {
    inotify: OwnedFd,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u32,
    watches: BTreeMap<u32, Wanted>,
    /// By the kernel's number.
    folders: HashMap<i32, Folder>,
}

struct Folder {
    path: PathBuf,
    watches: BTreeSet<u32>,
}

impl Folders {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { inotify: init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?, inner: Mutex::default() })
    }

    /// For waiting until there is something to read.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(rustix::io::fcntl_dupfd_cloexec(&self.inotify, 3)?)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch's number, and whether there were too many folders for it.
    pub(super) fn add(&self, wanted: Wanted) -> io::Result<(u32, bool)> {
        let mut inner = self.lock();
        if inner.watches.len() >= WATCHES {
            return Err(io::Error::other(format!("there are {WATCHES} watches already")));
        }
        inner.next += 1;
        let id = inner.next;
        let (folder, recursive) = (wanted.folder.clone(), wanted.recursive);
        inner.watches.insert(id, wanted);
        let added = self.add_folder(&mut inner, &folder, id);
        let complete = match added {
            Ok(complete) => complete,
            Err(error) => {
                inner.watches.remove(&id);
                return Err(error);
            }
        };
        let complete = complete && (!recursive || self.add_below(&mut inner, &folder, id, &mut |_, _| {}));
        Ok((id, !complete))
    }

    /// False: there are too many already.
    fn add_folder(&self, inner: &mut Inner, path: &Path, id: u32) -> io::Result<bool> {
        if inner.folders.len() >= FOLDERS {
            return Ok(false);
        }
        // The root of a watch may be a link: what it leads to is meant.
        let root = inner.watches.get(&id).is_some_and(|wanted| wanted.folder == path);
        let flags = if root { FLAGS.difference(WatchFlags::DONT_FOLLOW) } else { FLAGS };
        match add_watch(&self.inotify, path, flags) {
            Ok(number) => {
                let folder = inner.folders.entry(number);
                let folder = folder.or_insert_with(|| Folder { path: path.to_owned(), watches: BTreeSet::new() });
                folder.watches.insert(id);
                Ok(true)
            }
            // The kernel's own limit.
            Err(rustix::io::Errno::NOSPC) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds what is below a folder; `seen` is told of every entry. False: not all of it.
    fn add_below(&self, inner: &mut Inner, folder: &Path, id: u32, seen: &mut dyn FnMut(&Path, bool)) -> bool {
        let mut waiting = vec![folder.to_owned()];
        let mut complete = true;
        while let Some(folder) = waiting.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if inner.watches.get(&id).is_none_or(|wanted| wanted.excluded(&path)) {
                    continue;
                }
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                seen(&path, is_folder);
                if is_folder && complete {
                    // One that went away meanwhile, or may not be read, has nothing to be told of.
                    complete = self.add_folder(inner, &path, id).unwrap_or(true);
                    waiting.push(path);
                }
            }
        }
        complete
    }

    pub(super) fn remove(&self, id: u32) {
        let mut inner = self.lock();
        inner.watches.remove(&id);
        inner.folders.retain(|number, folder| {
            folder.watches.remove(&id);
            self.keep(*number, !folder.watches.is_empty())
        });
    }

    fn keep(&self, number: i32, keep: bool) -> bool {
        if !keep {
            // The kernel removes it by itself when the folder is gone.
            let _ = remove_watch(&self.inotify, number);
        }
        keep
    }

    /// What has happened since the last time, and whether that may not be all.
    pub(super) fn read(&self) -> (Pending, bool) {
        let mut inner = self.lock();
        let mut pending = Pending::default();
        let mut buffer = [MaybeUninit::<u8>::uninit(); 8 << 10];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut seen = 0;
        while seen < EVENTS || !reader.is_buffer_empty() {
            let Ok(event) = reader.next() else { return (pending, false) };
            seen += 1;
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            self.happened(&mut inner, &mut pending, (event.wd(), event.events()), name);
        }
        (pending, true)
    }

    fn happened(&self, inner: &mut Inner, pending: &mut Pending, event: (i32, ReadFlags), name: Option<OsString>) {
        let (number, flags) = event;
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            inner.watches.iter().for_each(|(id, wanted)| pending.all(*id, &wanted.root));
            return;
        }
        if flags.contains(ReadFlags::IGNORED) {
            inner.folders.remove(&number);
            return;
        }
        let Some(folder) = inner.folders.get(&number) else { return };
        let (at, ids) = (folder.path.clone(), folder.watches.clone());
        let Some(name) = name else {
            // The folder itself; where it is the root of a watch nobody else tells of it.
            if flags.contains(ReadFlags::DELETE_SELF) {
                let roots = inner.watches.iter().filter(|(id, wanted)| ids.contains(id) && wanted.folder == at);
                roots.for_each(|(id, wanted)| pending.add(*id, &wanted.root, &wanted.root, Change::Deleted));
            }
            return;
        };
        if hidden(&name) {
            return;
        }
        let path = at.join(&name);
        let (gone, come) = (flags.intersects(GONE), flags.intersects(COME));
        let change = match (gone, come) {
            (true, _) => Change::Deleted,
            (_, true) => Change::Created,
            _ => Change::Changed,
        };
        if gone && flags.contains(ReadFlags::ISDIR) {
            self.forget_below(inner, &path);
        }
        for id in ids {
            let Some(wanted) = inner.watches.get(&id).filter(|wanted| wanted.wants(&at, &name)) else { continue };
            let (root, recursive) = (wanted.root.clone(), wanted.recursive);
            pending.add(id, &root, &path, change);
            if come && recursive && flags.contains(ReadFlags::ISDIR) {
                self.come(inner, pending, (id, &root), &path);
            }
        }
    }

    /// A folder came: it is watched, and what is in it already came too.
    fn come(&self, inner: &mut Inner, pending: &mut Pending, (id, root): (u32, &Path), path: &Path) {
        let complete = self.add_folder(inner, path, id).unwrap_or(true)
            && self.add_below(inner, path, id, &mut |path, _| pending.add(id, root, path, Change::Created));
        if !complete {
            pending.all(id, root);
        }
    }

    /// A folder was moved away or deleted: nothing below it is where it was.
    fn forget_below(&self, inner: &mut Inner, path: &Path) {
        inner.folders.retain(|number, folder| self.keep(*number, !folder.path.starts_with(path)));
    }
}

const GONE: ReadFlags = ReadFlags::DELETE.union(ReadFlags::MOVED_FROM);
const COME: ReadFlags = ReadFlags::CREATE.union(ReadFlags::MOVED_TO);

/// A draft of ours, that is a file by its own name in a moment.
fn hidden(name: &OsStr) -> bool {
    write::is_temporary(name)
}
