//! Where the data of snapshots is: chunks named by their content, manifests named by theirs, a folder for each workspace so
//! that nobody learns from what is there already what others have.
//!
//! On this server's disk, or in a bucket. A name appears only when its bytes are kept. What is read back is checked against its name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use darter_core::WorkspaceId;
use dashmap::DashMap;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::bucket::Bucket;

/// zstd's own default: fast, and small enough.
const LEVEL: i32 = 3;
/// The largest that the packer cuts, with room for what cannot be compressed.
const LARGEST_CHUNK: usize = 5 << 20;
/// Of millions of files.
const LARGEST_MANIFEST: usize = 1 << 30;

/// The data of snapshots.
pub(crate) struct Vault {
    shelf: Shelf,
    locks: DashMap<WorkspaceId, Arc<Mutex<()>>>,
}

/// On which the data lies.
enum Shelf {
    Disk(PathBuf),
    Bucket(Bucket),
}

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Chunk,
    Manifest,
}

impl Vault {
    /// Below this folder; it is made when the first snapshot is.
    pub fn on_disk(root: PathBuf) -> Self {
        Self { shelf: Shelf::Disk(root), locks: DashMap::new() }
    }

    /// In a bucket.
    pub(super) fn in_bucket(bucket: Bucket) -> Self {
        Self { shelf: Shelf::Bucket(bucket), locks: DashMap::new() }
    }

    /// Whoever makes or removes snapshots of a workspace is alone with it.
    pub async fn lock(&self, id: &WorkspaceId) -> OwnedMutexGuard<()> {
        let lock = Arc::clone(&self.locks.entry(id.clone()).or_default());
        lock.lock_owned().await
    }

    /// Keeps bytes under the name of their content. Returns the name and how much the store had to take for it.
    pub async fn put(&self, id: &WorkspaceId, part: Part, bytes: Vec<u8>) -> io::Result<(String, u64)> {
        let (name, bytes) = run(move || Ok((name_of(&bytes), bytes))).await?;
        let stored = self.keep(id, part, (&name, bytes)).await?;
        Ok((name, stored))
    }

    /// Keeps bytes whose name is known. Returns how much the store had to take for it.
    pub async fn keep(&self, id: &WorkspaceId, part: Part, (name, bytes): (&str, Vec<u8>)) -> io::Result<u64> {
        match &self.shelf {
            Shelf::Disk(root) => {
                let path = path(&root.join(place(id, part)), name);
                run(move || put(&path, &bytes)).await
            }
            Shelf::Bucket(bucket) => {
                let place = place(id, part);
                if bucket.has(&place, name).await? {
                    return Ok(0);
                }
                let packed = run(move || zstd::bulk::compress(&bytes, LEVEL)).await?;
                let length = packed.len() as u64;
                bucket.put(&place, name, packed).await.map(|()| length)
            }
        }
    }

    /// The bytes of a name. What is missing or wrong is named.
    pub async fn get(&self, id: &WorkspaceId, part: Part, name: &str) -> io::Result<Vec<u8>> {
        let place = place(id, part);
        let packed = match &self.shelf {
            Shelf::Disk(root) => {
                let path = path(&root.join(&place), name);
                run(move || fs::read(path)).await
            }
            Shelf::Bucket(bucket) => bucket.get(&place, name, part.most() as u64).await,
        };
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{place}/{name}: {error}"));
        let (packed, name) = (packed.map_err(named)?, name.to_owned());
        run(move || {
            let bytes = zstd::bulk::decompress(&packed, part.most())?;
            if name_of(&bytes) == name {
                Ok(bytes)
            } else {
                Err(io::Error::other("what is kept is not what its name says"))
            }
        })
        .await
        .map_err(named)
    }

    /// Removes everything of a workspace but these.
    pub async fn sweep(&self, id: &WorkspaceId, part: Part, keep: BTreeSet<String>) -> io::Result<()> {
        match &self.shelf {
            Shelf::Disk(root) => {
                let folder = root.join(place(id, part));
                run(move || sweep(&folder, &keep)).await
            }
            Shelf::Bucket(bucket) => bucket.sweep(&place(id, part), &keep).await,
        }
    }

    /// Removes everything of a workspace that is gone.
    pub async fn forget(&self, id: &WorkspaceId) -> io::Result<()> {
        self.locks.remove(id);
        let root = match &self.shelf {
            Shelf::Disk(root) => root,
            Shelf::Bucket(bucket) => return bucket.sweep(id.as_str(), &BTreeSet::new()).await,
        };
        let folder = root.join(id.as_str());
        run(move || match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
        .await
    }
}

impl Part {
    /// What unpacks to more was not written by us.
    fn most(self) -> usize {
        match self {
            Self::Chunk => LARGEST_CHUNK,
            Self::Manifest => LARGEST_MANIFEST,
        }
    }
}

/// Where a part of a workspace is, below the root.
fn place(id: &WorkspaceId, part: Part) -> String {
    match part {
        Part::Chunk => format!("{id}/chunks"),
        Part::Manifest => format!("{id}/manifests"),
    }
}

/// The name of a content.
pub(super) fn name_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Two letters a folder: some thousand chunks are no trouble for any file system then.
fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name.get(..2).unwrap_or("__")).join(name)
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<u64> {
    // Two that write the same at a time do not write into one another's draft.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if path.exists() {
        return Ok(0);
    }
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)?;
    let packed = zstd::bulk::compress(bytes, LEVEL)?;
    let draft = path.with_extension(format!("{}.new", NEXT.fetch_add(1, Ordering::Relaxed)));
    let mut file = File::create(&draft)?;
    file.write_all(&packed)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(parent)?.sync_all()?;
    Ok(packed.len() as u64)
}

fn sweep(folder: &Path, keep: &BTreeSet<String>) -> io::Result<()> {
    let inner = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        inner => inner?,
    };
    for inner in inner {
        for entry in fs::read_dir(inner?.path())? {
            let entry = entry?;
            if !keep.contains(entry.file_name().to_string_lossy().as_ref()) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_has_the_name_of_its_content_and_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::on_disk(folder.path().to_owned());
        let (ours, theirs) = (WorkspaceId::generate(&SystemRandom), WorkspaceId::generate(&SystemRandom));
        let (name, stored) = vault.put(&ours, Part::Chunk, vec![7; 100_000]).await.unwrap();
        assert!(stored > 0 && stored < 1_000, "it is compressed: {stored}");
        assert_eq!(vault.put(&ours, Part::Chunk, vec![7; 100_000]).await.unwrap(), (name.clone(), 0));
        assert_eq!(vault.get(&ours, Part::Chunk, &name).await.unwrap(), vec![7; 100_000]);
        assert!(vault.get(&theirs, Part::Chunk, &name).await.is_err(), "nobody reads what others keep");
        fs::write(path(&folder.path().join(place(&ours, Part::Chunk)), &name), zstd::bulk::compress(b"x", 1).unwrap())
            .unwrap();
        assert!(vault.get(&ours, Part::Chunk, &name).await.is_err(), "what was changed is not believed");
        let (kept, _) = vault.put(&ours, Part::Chunk, b"kept".to_vec()).await.unwrap();
        vault.sweep(&ours, Part::Chunk, BTreeSet::from([kept.clone()])).await.unwrap();
        assert!(
            vault.get(&ours, Part::Chunk, &kept).await.is_ok() && vault.get(&ours, Part::Chunk, &name).await.is_err()
        );
        vault.forget(&ours).await.unwrap();
        vault.forget(&ours).await.unwrap();
        assert!(vault.get(&ours, Part::Chunk, &kept).await.is_err());
    }
}
