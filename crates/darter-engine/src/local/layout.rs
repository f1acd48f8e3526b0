//! Where things are in the data directory, and how trees that tenants filled are measured, moved and removed.
//!
//! Never follows a link that a sandbox made: everything below a tenant's folder is opened relative to its parent.

use std::ffi::CStr;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use darter_core::AppId;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};

use crate::EngineConfig;

/// Deepest tree that is walked; npm's own nesting stays far below.
const DEPTH: usize = 256;

/// The folders of one data directory, absolute and without links.
#[derive(Debug, Clone)]
pub struct Layout {
    pub runtimes: PathBuf,
    pub environments: PathBuf,
    pub apps: PathBuf,
    pub builds: PathBuf,
    pub downloads: PathBuf,
    pub run: PathBuf,
    owner: Option<(u32, u32)>,
}

impl Layout {
    /// Makes the folders and sweeps what a killed server left behind.
    pub fn prepare(config: &EngineConfig) -> io::Result<Self> {
        let made = |path: PathBuf| -> io::Result<PathBuf> {
            fs::create_dir_all(&path).map_err(|error| named(&path, error))?;
            path.canonicalize()
        };
        let layout = Self {
            runtimes: made(config.runtimes_dir())?,
            environments: made(config.environments_dir())?,
            apps: made(config.data.join("apps"))?,
            builds: made(config.builds_dir().join("builds"))?,
            downloads: made(config.downloads_dir())?,
            run: made(config.data.join("run"))?,
            owner: config.files_owner,
        };
        sweep(&layout.run)?;
        sweep(&layout.builds)?;
        Ok(layout)
    }

    /// Where an app's installed dependencies are.
    pub fn dependencies(&self, app: &AppId, digest: &str) -> PathBuf {
        self.apps.join(app.as_str()).join("deps").join(digest)
    }

    /// A new empty folder for something that is being made. Removed when dropped, unless kept.
    pub fn build(&self, what: &str) -> io::Result<Build> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.builds.join(format!("{what}-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Build { path, owner: self.owner, kept: false })
    }
}

/// Leftovers are removed by name order; what cannot be removed is an error, for the next install would meet it.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { remove_tree(&entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

/// A folder in the making.
#[derive(Debug)]
pub struct Build {
    path: PathBuf,
    owner: Option<(u32, u32)>,
    kept: bool,
}

impl Build {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it that a sandbox may write to.
    pub fn writable(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        if let Some((uid, gid)) = self.owner {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
        }
        Ok(path)
    }

    /// Writes a file into a folder of this build, before any sandbox has seen it.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        fs::write(&path, content)?;
        match self.owner {
            Some((uid, gid)) => std::os::unix::fs::chown(&path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Puts the finished folder at its place: on disk first, then visible, all of it or nothing.
    pub fn finish(mut self, target: &Path) -> io::Result<()> {
        rustix::fs::syncfs(fs::File::open(&self.path)?)?;
        let parent = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(parent)?;
        match fs::rename(&self.path, target) {
            Ok(()) => self.kept = true,
            // Somebody else has finished the same thing first; theirs is as good.
            Err(_) if target.is_dir() => {}
            Err(error) => return Err(named(target, error)),
        }
        fs::File::open(parent)?.sync_all()
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = remove_tree(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a build folder is left; it is removed at the next start");
        }
    }
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Removes a tree of ours or of a tenant's, folders without permissions included. A missing one is accepted.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_folder(rustix::fs::CWD, path).and_then(|folder| unlock(folder.as_fd(), DEPTH))?;
            fs::remove_dir_all(path)
        }
    }
}

fn open_folder(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

/// Gives us back the right to empty every folder. Nothing runs in the tree any more, so names cannot change meaning.
fn unlock(folder: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    each(folder, |name, kind| {
        if kind != FileType::Directory || depth == 0 {
            return Ok(());
        }
        rustix::fs::chmodat(folder, name, Mode::RWXU, AtFlags::empty())?;
        unlock(open_folder(folder, name)?.as_fd(), depth - 1)
    })
}

fn each(folder: BorrowedFd<'_>, mut visit: impl FnMut(&CStr, FileType) -> io::Result<()>) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            visit(name, FileType::from_raw_mode(stat.st_mode))?;
        }
    }
    Ok(())
}

/// Bytes on disk and number of entries of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeSize {
    pub bytes: u64,
    pub files: u64,
}

impl TreeSize {
    pub fn within(self, most: Self) -> bool {
        self.bytes <= most.bytes && self.files <= most.files
    }
}

/// Measures a tree that a program is still changing: what vanishes meanwhile is not counted, what its owner has made
/// unreadable is made readable, and beyond `most` nothing more is looked at.
pub fn measure_living(path: &Path, most: TreeSize) -> io::Result<TreeSize> {
    let mut size = TreeSize::default();
    measure_some(open_folder(rustix::fs::CWD, path)?.as_fd(), DEPTH, most, &mut size)?;
    Ok(size)
}

fn measure_some(folder: BorrowedFd<'_>, depth: usize, most: TreeSize, size: &mut TreeSize) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let Ok(entry) = entry else { return Ok(()) };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let Ok(stat) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        size.files += 1;
        size.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        if !size.within(most) {
            return Ok(());
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            continue;
        }
        if depth == 0 {
            return Err(io::Error::other("folders are nested too deep"));
        }
        if let Some(inner) = open_or_unlock(folder, name)? {
            measure_some(inner.as_fd(), depth - 1, most, size)?;
        }
    }
    Ok(())
}

/// A folder in a living tree; `None` when it is not there any more.
fn open_or_unlock(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<OwnedFd>> {
    let opened = match open_folder(folder, name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // Through no link: a descriptor of the entry itself, whatever its name means by now.
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let entry = rustix::fs::openat(folder, name, flags, Mode::empty())?;
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&entry));
            rustix::fs::chmodat(rustix::fs::CWD, path, Mode::RWXU, AtFlags::empty())?;
            open_folder(folder, name)
        }
        other => other,
    };
    match opened {
        Ok(inner) => Ok(Some(inner)),
        Err(error) => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Measures a tree without following any link. Stops with an error beyond the deepest nesting.
pub fn measure(path: &Path) -> io::Result<TreeSize> {
    let mut size = TreeSize::default();
    measure_into(open_folder(rustix::fs::CWD, path)?.as_fd(), DEPTH, &mut size)?;
    Ok(size)
}

fn measure_into(folder: BorrowedFd<'_>, depth: usize, size: &mut TreeSize) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        size.files += 1;
        size.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if depth == 0 {
                return Err(io::Error::other("folders are nested too deep"));
            }
            measure_into(open_folder(folder, name)?.as_fd(), depth - 1, size)?;
        }
    }
    Ok(())
}

/// Reads a regular file that a tenant's program wrote in `folder`: no link is followed, at most `limit` bytes.
pub fn read_tenant_file(folder: &Path, name: &str, limit: u64) -> io::Result<String> {
    let folder = open_folder(rustix::fs::CWD, folder)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = fs::File::from(rustix::fs::openat2(&folder, name, flags, Mode::empty(), resolve)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{name} is not a regular file")));
    }
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("{name} is longer than {limit} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_measured_and_removed_without_following_its_links() {
        let host = tempfile::tempdir().unwrap();
        let outside = host.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), vec![1; 100_000]).unwrap();
        let tree = host.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), b"x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
        let size = measure(&tree).unwrap();
        assert_eq!(size.files, 4);
        assert!(size.bytes < 100_000, "{size:?}");
        assert!(measure(&tree.join("a/link")).is_err());
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && outside.join("kept").exists());
        remove_tree(&tree).unwrap();
    }

    #[test]
    fn a_tenants_file_is_read_only_when_it_is_one() {
        let host = tempfile::tempdir().unwrap();
        fs::write(host.path().join("secret"), "s").unwrap();
        let folder = host.path().join("tenant");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("good"), "text").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        assert_eq!(read_tenant_file(&folder, "good", 4).unwrap(), "text");
        for (name, limit) in [("good", 3), ("link", 100), ("../secret", 100), ("missing", 100)] {
            assert!(read_tenant_file(&folder, name, limit).is_err(), "{name}");
        }
        assert!(read_tenant_file(host.path(), "tenant", 100).is_err());
    }

    #[test]
    fn an_unfinished_build_vanishes_and_a_finished_one_is_whole() {
        let host = tempfile::tempdir().unwrap();
        let config = EngineConfig::for_data_dir(host.path(), "https://npm.example.org");
        let layout = Layout::prepare(&config).unwrap();
        let target = layout.apps.join("x/deps/1");
        let build = layout.build("deps").unwrap();
        let path = build.path().to_path_buf();
        drop(build);
        assert!(!path.exists());
        let build = layout.build("deps").unwrap();
        build.write("file", b"x").unwrap();
        build.finish(&target).unwrap();
        assert!(target.join("file").exists());
        let late = layout.build("deps").unwrap();
        late.finish(&target).unwrap();
        assert!(target.join("file").exists());
        fs::create_dir(layout.builds.join("left-by-a-killed-server")).unwrap();
        let again = Layout::prepare(&config).unwrap();
        assert_eq!(fs::read_dir(&again.builds).unwrap().count(), 0);
    }
}
