//! Homes on disk: one image file each, made by copying an empty one, deleted by one `unlink` however much is in it.
//!
//! Nothing here looks into a home: a tenant wrote that. Where volumes cannot be mounted a home is a folder, and its limit
//! is soft.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darter_core::WorkspaceId;
use darter_core::workspace::WorkspaceLimits;
use darter_sandbox::{Bind, ExitReason, LauncherClient, volume};

use super::unit::HOME;
use crate::local::job::{self, Ended, Job};
use crate::local::layout::remove_tree;

/// Empty images of the usual size that wait for new workspaces.
const SPARES: usize = 2;
/// What nothing new may take of the host's disk.
const KEPT_FREE: u64 = 1 << 30;
/// Checking and growing a large image takes a while.
const GROWING: Duration = Duration::from_secs(300);

/// An empty home that belongs to nobody yet: mounted in a sandbox that waits, and gone with it unless it is adopted.
#[derive(Debug)]
pub(super) struct Fresh {
    path: PathBuf,
    bytes: u64,
}

impl Fresh {
    /// What shows it to the sandbox that waits.
    pub(super) fn bind(&self) -> Bind {
        Bind::volume(&self.path, HOME)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // One that was adopted has another name. The sandbox that has it mounted keeps it until it ends.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// All homes of one data directory.
#[derive(Debug)]
pub(super) struct Homes {
    folder: PathBuf,
    /// Homes are images; otherwise folders.
    pub(super) volumes: bool,
    owner: Option<(u32, u32)>,
    spares: Mutex<HashMap<u64, Vec<PathBuf>>>,
    /// The size that was wanted last: what new workspaces get, most likely.
    usual: AtomicU64,
    /// Deleted for good: a start that was on its way makes no home for one of these any more.
    gone: Mutex<HashSet<WorkspaceId>>,
}

impl Homes {
    /// Makes the folders and sweeps what a killed server had half made.
    pub(super) fn open(folder: PathBuf, volumes: bool, owner: Option<(u32, u32)>) -> io::Result<Arc<Self>> {
        std::fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        remove_tree(&folder.join(".new"))?;
        std::fs::create_dir_all(folder.join(".new"))?;
        let usual = WorkspaceLimits::default().disk_bytes;
        Ok(Arc::new(Self {
            folder,
            volumes,
            owner,
            spares: Mutex::default(),
            usual: AtomicU64::new(usual),
            gone: Mutex::default(),
        }))
    }

    fn of(&self, id: &WorkspaceId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    fn image(&self, id: &WorkspaceId) -> PathBuf {
        self.of(id).join("home.img")
    }

    /// There is a home of it.
    pub(super) fn has(&self, id: &WorkspaceId) -> bool {
        if self.volumes { self.image(id).exists() } else { self.of(id).join("home").exists() }
    }

    fn fresh(&self, what: &str) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.folder.join(".new").join(format!("{what}-{}.img", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    fn own(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// What shows a workspace its home, which is made, or grown, when that is needed.
    pub(super) async fn bind(
        self: &Arc<Self>,
        id: &WorkspaceId,
        bytes: u64,
        launcher: &LauncherClient,
    ) -> io::Result<Bind> {
        let (homes, own) = (Arc::clone(self), id.clone());
        let bytes = self.wanted(bytes);
        let small = in_background(move || homes.ensure(&own, bytes)).await?;
        if small {
            self.grow(id, bytes, launcher).await?;
        }
        let homes = Arc::clone(self);
        // For the next one; nobody waits for it.
        tokio::task::spawn_blocking(move || homes.stock_up(bytes));
        Ok(if self.volumes {
            Bind::volume(self.image(id), HOME)
        } else {
            Bind::writable(self.of(id).join("home"), HOME)
        })
    }

    fn wanted(&self, bytes: u64) -> u64 {
        let bytes = bytes.max(volume::MIN_BYTES);
        self.usual.store(bytes, Ordering::Relaxed);
        bytes
    }

    /// An empty home for a sandbox that is to wait; `None` where homes are folders.
    pub(super) async fn fresh_home(self: &Arc<Self>) -> io::Result<Option<Fresh>> {
        if !self.volumes {
            return Ok(None);
        }
        let homes = Arc::clone(self);
        in_background(move || {
            let bytes = homes.usual.load(Ordering::Relaxed);
            let path = homes.fresh("waits");
            std::fs::rename(homes.make(bytes)?, &path)?;
            Ok(Some(Fresh { path, bytes }))
        })
        .await
    }

    /// Gives a workspace that has no home the one that is mounted in its sandbox already. False: it has one, or wants
    /// another size.
    pub(super) fn adopt(&self, id: &WorkspaceId, fresh: &Fresh, bytes: u64) -> io::Result<bool> {
        let image = self.image(id);
        if fresh.bytes != self.wanted(bytes) || image.exists() {
            return Ok(false);
        }
        let _gone = self.unless_gone(id)?;
        std::fs::create_dir_all(self.of(id))?;
        std::fs::rename(&fresh.path, image)?;
        Ok(true)
    }

    /// Makes the home when there is none. True: it is smaller than wanted.
    fn ensure(&self, id: &WorkspaceId, bytes: u64) -> io::Result<bool> {
        if !self.volumes {
            return self.ensure_folder(id).map(|()| false);
        }
        let image = self.image(id);
        match image.metadata() {
            Ok(found) => return Ok(found.len() < bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let spare = self.spares().get_mut(&bytes).and_then(Vec::pop);
        let new = match spare {
            Some(spare) => spare,
            None => self.make(bytes)?,
        };
        let gone = self.unless_gone(id)?;
        std::fs::create_dir_all(self.of(id))?;
        std::fs::rename(new, image)?;
        drop(gone);
        Ok(false)
    }

    fn ensure_folder(&self, id: &WorkspaceId) -> io::Result<()> {
        let _gone = self.unless_gone(id)?;
        let home = self.of(id).join("home");
        std::fs::create_dir_all(self.of(id))?;
        match std::fs::create_dir(&home) {
            Ok(()) => self.own(&home),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keeps it from being deleted for as long as the answer is held; refuses when it has been.
    fn unless_gone(&self, id: &WorkspaceId) -> io::Result<MutexGuard<'_, HashSet<WorkspaceId>>> {
        let gone = self.gone();
        if gone.contains(id) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the workspace has been deleted"));
        }
        Ok(gone)
    }

    /// Refuses when the host's disk is nearly full: homes grow as they are filled, and the last of it belongs to those that
    /// are there already, and to the platform.
    pub(super) fn room(&self) -> io::Result<()> {
        let found = rustix::fs::statvfs(&self.folder)?;
        let [free, total] = [found.f_bavail, found.f_blocks].map(|blocks| blocks.saturating_mul(found.f_frsize));
        if is_enough(free, total) { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// An empty image, on disk.
    fn make(&self, bytes: u64) -> io::Result<PathBuf> {
        self.room()?;
        let template = self.folder.join(".new").join(format!("template-{bytes}.img"));
        if !template.exists() {
            let made = self.fresh("making");
            volume::make(&made, bytes)?;
            std::fs::rename(made, &template)?;
        }
        let new = self.fresh("home");
        volume::copy(&template, &new)?;
        self.own(&new)?;
        Ok(new)
    }

    fn gone(&self) -> MutexGuard<'_, HashSet<WorkspaceId>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spares(&self) -> MutexGuard<'_, HashMap<u64, Vec<PathBuf>>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps empty images of this size at hand.
    pub(super) fn stock_up(&self, bytes: u64) {
        while self.volumes && self.spares().get(&bytes).map_or(0, Vec::len) < SPARES {
            match self.make(bytes) {
                Ok(spare) => self.spares().entry(bytes).or_default().push(spare),
                Err(error) => {
                    return tracing::warn!(%error, "no empty home could be made ahead; the next one is made when it is needed");
                }
            }
        }
    }

    /// Makes an image at rest larger. The file system's own programs read what a tenant wrote, so they do it in a sandbox.
    async fn grow(&self, id: &WorkspaceId, bytes: u64, launcher: &LauncherClient) -> io::Result<()> {
        let image = self.image(id);
        let held = in_background({
            let image = image.clone();
            move || {
                let held = volume::lock(&image)?;
                held.set_len(bytes)?;
                Ok(held)
            }
        })
        .await?;
        self.own(&self.of(id))?;
        let script = "e2fsck -f -p /volume/home.img; test $? -le 1 && resize2fs /volume/home.img && \
                      e2fsck -f -p /volume/home.img; test $? -le 1";
        let mut said = Vec::new();
        let job = Job {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            cwd: "/work",
            env: vec![("PATH".into(), "/usr/sbin:/sbin:/usr/bin:/bin".into())],
            binds: vec![Bind::writable(self.of(id), "/volume")],
            limits: darter_sandbox::Limits { fsize: 1 << 44, ..job::limits(2_000, 512 << 20, 16) },
            proxy: None,
            timeout: GROWING,
            // The volume is as large as it is to be.
            quota: None,
            system: None,
        };
        let ended = job.run(launcher, |line| said.push(line)).await.map_err(io::Error::other)?;
        drop(held);
        match ended {
            Ended::Exit(exit) if exit.reason == ExitReason::Code(0) => Ok(()),
            other => Err(io::Error::other(format!("growing a home failed: {other}. It wrote: {}", said.join("; ")))),
        }
    }

    /// Copies a home at rest; the copy is whole or not there.
    pub(super) async fn copy(self: &Arc<Self>, from: &WorkspaceId, to: &WorkspaceId) -> io::Result<()> {
        let (homes, from, to) = (Arc::clone(self), from.clone(), to.clone());
        in_background(move || {
            if !homes.volumes {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "homes are folders here: restore a snapshot into the new workspace instead",
                ));
            }
            if homes.image(&to).exists() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            homes.room()?;
            let new = homes.fresh("copy");
            volume::copy(&homes.image(&from), &new)?;
            homes.own(&new)?;
            let _gone = homes.unless_gone(&to)?;
            std::fs::create_dir_all(homes.of(&to))?;
            std::fs::rename(new, homes.image(&to))?;
            sync(&homes.of(&to))
        })
        .await
    }

    /// An empty home that is to take the place of a workspace's own once it is filled.
    pub(super) async fn stage(self: &Arc<Self>, id: &WorkspaceId, bytes: u64) -> io::Result<Staged> {
        let (homes, id) = (Arc::clone(self), id.clone());
        in_background(move || {
            if homes.volumes {
                // Never smaller than the one that is there.
                let bytes = homes.image(&id).metadata().map_or(0, |found| found.len()).max(homes.wanted(bytes));
                return Ok(Staged { path: homes.make(bytes)?, volume: true });
            }
            homes.room()?;
            let path = homes.fresh("restored");
            std::fs::create_dir(&path)?;
            homes.own(&path)?;
            Ok(Staged { path, volume: false })
        })
        .await
    }

    /// Puts a home in the place of a workspace's own, by one rename: whoever dies in the middle leaves one of the two, whole.
    pub(super) async fn put(self: &Arc<Self>, id: &WorkspaceId, staged: Staged) -> io::Result<()> {
        let (homes, id) = (Arc::clone(self), id.clone());
        in_background(move || {
            let _gone = homes.unless_gone(&id)?;
            std::fs::create_dir_all(homes.of(&id))?;
            if staged.volume {
                std::fs::File::open(&staged.path)?.sync_all()?;
                std::fs::rename(&staged.path, homes.image(&id))?;
            } else {
                exchange(&staged.path, &homes.of(&id).join("home"))?;
            }
            sync(&homes.of(&id))
        })
        .await
    }

    /// Deletes a home. A missing one is accepted.
    pub(super) async fn forget(self: &Arc<Self>, id: &WorkspaceId) -> io::Result<()> {
        let (homes, id) = (Arc::clone(self), id.clone());
        in_background(move || {
            homes.gone().insert(id.clone());
            remove_tree(&homes.of(&id))
        })
        .await
    }

    /// What it takes on the host's disk, bytes; 0 when there is none.
    pub(super) fn bytes_on_disk(&self, id: &WorkspaceId) -> u64 {
        self.image(id).metadata().map_or(0, |found| found.blocks() * 512)
    }
}

/// A home that waits to take the place of another. What has its name when this is dropped is deleted: itself, or the
/// folder whose place it took.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    volume: bool,
}

impl Staged {
    /// What shows it to a sandbox.
    pub(super) fn bind(&self) -> Bind {
        if self.volume { Bind::volume(&self.path, HOME) } else { Bind::writable(&self.path, HOME) }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be deleted now is swept at the next start.
        let _ = if self.volume { std::fs::remove_file(&self.path) } else { remove_tree(&self.path) };
    }
}

/// The new folder gets the old one's name, and the old one the new one's, at once.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Err(rustix::io::Errno::NOENT) => std::fs::rename(new, old),
        other => Ok(other?),
    }
}

/// A gibibyte is left, or, of a small disk, two parts in a hundred.
fn is_enough(free: u64, total: u64) -> bool {
    free >= KEPT_FREE.min(total / 50)
}

/// Names in this folder are on disk when this returns.
fn sync(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_disk_is_not_for_new_homes() {
        for (free, total, enough) in [
            (2 << 30, 100 << 30, true),
            (900 << 20, 100 << 30, false),
            (300 << 20, 10 << 30, true),
            (0, 10 << 30, false),
        ] {
            assert_eq!(is_enough(free, total), enough, "{free} of {total}");
        }
    }

    #[test]
    fn a_folder_takes_the_place_of_another_at_once_and_the_old_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        std::fs::create_dir(&new).unwrap();
        std::fs::write(new.join("file"), "new").unwrap();
        exchange(&new, &old).unwrap();
        std::fs::create_dir(&new).unwrap();
        let staged = Staged { path: new.clone(), volume: false };
        exchange(&new, &old).unwrap();
        assert!(new.join("file").exists() && !old.join("file").exists());
        drop(staged);
        assert!(!new.exists() && old.exists());
    }
}
