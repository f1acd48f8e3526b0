//! The folder that an image is unpacked into. Every path of an image means something inside that folder, whatever links
//! lie on its way: the kernel resolves it with that folder as its root. Nothing here ever leaves it.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// Deepest folder. What walks trees later may recurse.
const DEPTH: u16 = 200;
/// The kernel gives up a look-up when something on the machine was renamed meanwhile; it is asked again.
const TRIES: usize = 1_000;

/// Links that lead to what is not there yet.
const HOPS: usize = 8;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What may be read by whom, and since when it is what it is.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Already without what nobody gets here.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: i64,
}

/// A folder, and what the layer that is being unpacked has put there.
pub struct Tree {
    root: OwnedFd,
    /// Of every folder, by its inode: all of them were made here.
    depths: HashMap<u64, u16>,
    /// Names of this layer, by their folder's inode: whiteouts are about the layers below.
    laid: HashSet<(u64, OsString)>,
}

/// A place in the tree: an open folder and a name in it.
struct Place {
    folder: OwnedFd,
    inode: u64,
    name: OsString,
}

impl Tree {
    /// Works in an empty folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(folder, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        let depths = [(rustix::fs::fstat(&root)?.st_ino, 0)].into();
        Ok(Self { root, depths, laid: HashSet::new() })
    }

    /// What was put here so far is from layers below.
    pub fn next_layer(&mut self) {
        self.laid.clear();
    }

    /// Makes a folder, or gives the one that is there another look.
    pub fn folder(&mut self, path: &Path, look: Look) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let place = self.place(path)?;
        if kind(&place)? != Some(FileType::Directory) {
            self.clear(&place)?;
            self.make_folder(&place)?;
        }
        let folder = rustix::fs::openat(&place.folder, &place.name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(look.mode | 0o700))?;
        self.laid(place);
        Ok(())
    }

    /// A new file, in place of whatever was there. Its length.
    pub fn file(&mut self, path: &Path, look: Look, content: &mut impl Read) -> io::Result<u64> {
        let place = self.place(path)?;
        self.clear(&place)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&place.folder, &place.name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(file);
        let length = io::copy(content, &mut file)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(look.mode | 0o600))?;
        let time = Timespec { tv_sec: look.mtime, tv_nsec: 0 };
        // Python compares the time of a source with what its compiled form says.
        rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })?;
        self.laid(place);
        Ok(length)
    }

    /// A symbolic link: text, which is not looked at.
    pub fn link(&mut self, path: &Path, to: &OsStr) -> io::Result<()> {
        let place = self.place(path)?;
        self.clear(&place)?;
        rustix::fs::symlinkat(to, &place.folder, &place.name)?;
        self.laid(place);
        Ok(())
    }

    /// A second name of what `of` names, which is no folder.
    pub fn name(&mut self, path: &Path, of: &Path) -> io::Result<()> {
        let from = self.look_up(of)?.ok_or_else(|| odd(of, "a hard link leads there, but nothing is"))?;
        if matches!(kind(&from)?, None | Some(FileType::Directory)) {
            return Err(odd(of, "a hard link leads there, but it is no file"));
        }
        let place = self.place(path)?;
        self.clear(&place)?;
        rustix::fs::linkat(&from.folder, &from.name, &place.folder, &place.name, AtFlags::empty())?;
        self.laid(place);
        Ok(())
    }

    /// Takes away what layers below have put at `path`; nothing there is fine.
    pub fn whiteout(&mut self, path: &Path) -> io::Result<()> {
        match self.look_up(path)? {
            Some(place) => self.forget_below(place.folder.as_fd(), place.inode, &place.name),
            None => Ok(()),
        }
    }

    /// Takes away what layers below have put into the folder `path`.
    pub fn opaque(&mut self, path: &Path) -> io::Result<()> {
        match self.enter(path) {
            Ok(folder) => self.empty_below(folder.as_fd()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A small regular file's content, through whatever links lead to it. `None`: there is none.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC) {
            Ok(file) => File::from(file),
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() > most {
            return Ok(None);
        }
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Whether something is there, through whatever links lead to it.
    pub fn has(&self, path: &Path) -> bool {
        self.resolve(path, OFlags::PATH | OFlags::CLOEXEC).is_ok()
    }

    /// What is at the top: names and kinds.
    pub fn top(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut found = Vec::new();
        for name in names(self.root.as_fd())? {
            let stat = rustix::fs::statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            found.push((name, FileType::from_raw_mode(stat.st_mode)));
        }
        Ok(found)
    }

    fn laid(&mut self, place: Place) {
        self.laid.insert((place.inode, place.name));
    }

    /// The place of a path that may be made, folders above it included.
    fn place(&mut self, path: &Path) -> io::Result<Place> {
        let folder = self.enter_or_make(path.parent().unwrap_or(Path::new("")), HOPS)?;
        at(folder, path)
    }

    /// The place of a path whose folder is there.
    fn look_up(&self, path: &Path) -> io::Result<Option<Place>> {
        match self.enter(path.parent().unwrap_or(Path::new(""))) {
            Ok(folder) => at(folder, path).map(Some),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn enter(&self, path: &Path) -> io::Result<OwnedFd> {
        self.resolve(path, FOLDER)
    }

    /// Opens a path with the tree as its root: links, absolute ones and `..` included, end in it.
    fn resolve(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        for _ in 0..TRIES {
            match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), inside) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return Ok(opened?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    fn enter_or_make(&mut self, path: &Path, hops: usize) -> io::Result<OwnedFd> {
        match self.enter(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let folder = self.enter_or_make(path.parent().unwrap_or(Path::new("")), hops)?;
        let place = at(folder, path)?;
        match kind(&place)? {
            None => self.make_folder(&place)?,
            Some(FileType::Symlink) if hops > 0 => {
                // What it leads to comes to be: some archives name the link first.
                let to = rustix::fs::readlinkat(&place.folder, &place.name, Vec::new())?;
                let to = meant(path, Path::new(OsStr::from_bytes(to.as_bytes())));
                self.enter_or_make(&to, hops - 1)?;
            }
            Some(_) => return Err(odd(path, "a link leads nowhere, so nothing can be put below it")),
        }
        self.enter(path)
    }

    fn make_folder(&mut self, place: &Place) -> io::Result<()> {
        let depth = self.depths.get(&place.inode).copied().unwrap_or(DEPTH);
        if depth >= DEPTH {
            return Err(odd(Path::new(&place.name), "it lies deeper than 200 folders"));
        }
        rustix::fs::mkdirat(&place.folder, &place.name, Mode::from_raw_mode(0o755))?;
        let stat = rustix::fs::statat(&place.folder, &place.name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.depths.insert(stat.st_ino, depth + 1);
        Ok(())
    }

    /// Makes room for something else.
    fn clear(&self, place: &Place) -> io::Result<()> {
        match kind(place)? {
            Some(kind) => remove(place.folder.as_fd(), &place.name, kind),
            None => Ok(()),
        }
    }

    /// Removes a name unless this layer has put it there; of a folder, what it holds likewise.
    fn forget_below(&self, folder: BorrowedFd<'_>, inode: u64, name: &OsStr) -> io::Result<()> {
        let kept = self.laid.contains(&(inode, name.to_owned()));
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            stat => stat?,
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return if kept { Ok(()) } else { Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?) };
        }
        let inner = rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        self.empty_below(inner.as_fd())?;
        match (kept, rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)) {
            (true, _) | (false, Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST)) => Ok(()),
            (false, Err(error)) => Err(error.into()),
        }
    }

    fn empty_below(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        let inode = rustix::fs::fstat(folder)?.st_ino;
        names(folder)?.iter().try_for_each(|name| self.forget_below(folder, inode, name))
    }
}

fn at(folder: OwnedFd, path: &Path) -> io::Result<Place> {
    let name = path.file_name().ok_or_else(|| odd(path, "it names nothing"))?.to_owned();
    Ok(Place { inode: rustix::fs::fstat(&folder)?.st_ino, folder, name })
}

/// Where the link `path` leads by its words, ending at the root at most.
fn meant(path: &Path, to: &Path) -> PathBuf {
    let mut meant = path.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in to.components() {
        match part {
            Component::RootDir => meant = PathBuf::new(),
            Component::ParentDir => drop(meant.pop()),
            Component::Normal(name) => meant.push(name),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    meant
}

fn kind(place: &Place) -> io::Result<Option<FileType>> {
    match rustix::fs::statat(&place.folder, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove(folder: BorrowedFd<'_>, name: &OsStr, kind: FileType) -> io::Result<()> {
    if kind != FileType::Directory {
        return Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?);
    }
    let inner = rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    for below in names(inner.as_fd())? {
        let stat = rustix::fs::statat(&inner, &below, AtFlags::SYMLINK_NOFOLLOW)?;
        remove(inner.as_fd(), &below, FileType::from_raw_mode(stat.st_mode))?;
    }
    Ok(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
}

fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

pub fn odd(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()))
}

/// A path of an image: names below the root. `/x` and `./x` are `x`; what climbs is refused.
pub fn plain(bytes: &[u8]) -> io::Result<PathBuf> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| odd(Path::new(OsStr::from_bytes(bytes)), "its name is not UTF-8"))?;
    let mut path = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(odd(Path::new(text), "it leads out of its folder"));
            }
        }
    }
    match text.contains('\0') || text.len() > 4_000 {
        true => Err(odd(Path::new(&text[..text.len().min(40)]), "its name cannot be used")),
        false => Ok(path),
    }
}
