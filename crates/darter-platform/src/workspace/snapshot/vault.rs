//! Where the data of snapshots is: chunks named by their content, manifests named by theirs, a folder for each workspace so
//! that nobody learns from what is there already what others have.
//!
//! A name appears only when its bytes are on disk. What is read back is checked against its name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use darter_core::WorkspaceId;
use dashmap::DashMap;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// zstd's own default: fast, and small enough.
const LEVEL: i32 = 3;
/// A chunk or manifest that unpacks to more was not written by us.
const LARGEST: usize = 1 << 30;

/// The data of snapshots.
pub(crate) struct Vault {
    root: PathBuf,
    locks: DashMap<WorkspaceId, Arc<Mutex<()>>>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Chunk,
    Manifest,
}

impl Vault {
    /// Below this folder; it is made when the first snapshot is.
    pub fn new(root: PathBuf) -> Self {
        Self { root, locks: DashMap::new() }
    }

    /// Whoever makes or removes snapshots of a workspace is alone with it.
    pub async fn lock(&self, id: &WorkspaceId) -> OwnedMutexGuard<()> {
        let lock = Arc::clone(&self.locks.entry(id.clone()).or_default());
        lock.lock_owned().await
    }

    fn folder(&self, id: &WorkspaceId, part: Part) -> PathBuf {
        let name = match part {
            Part::Chunk => "chunks",
            Part::Manifest => "manifests",
        };
        self.root.join(id.as_str()).join(name)
    }

    /// Keeps bytes under the name of their content. Returns the name and how much the disk had to take for it.
    pub async fn put(&self, id: &WorkspaceId, part: Part, bytes: Vec<u8>) -> io::Result<(String, u64)> {
        let folder = self.folder(id, part);
        run(move || put(&folder, &bytes)).await
    }

    /// The bytes of a name.
    pub async fn get(&self, id: &WorkspaceId, part: Part, name: &str) -> io::Result<Vec<u8>> {
        let path = path(&self.folder(id, part), name);
        let name = name.to_owned();
        run(move || {
            let bytes = zstd::bulk::decompress(&fs::read(path)?, LARGEST)?;
            let same = blake3::hash(&bytes).to_hex().as_str() == name;
            if same { Ok(bytes) } else { Err(io::Error::other("what is kept is not what its name says")) }
        })
        .await
    }

    /// Removes everything of a workspace but these.
    pub async fn sweep(&self, id: &WorkspaceId, part: Part, keep: BTreeSet<String>) -> io::Result<()> {
        let folder = self.folder(id, part);
        run(move || sweep(&folder, &keep)).await
    }

    /// Removes everything of a workspace that is gone.
    pub async fn forget(&self, id: &WorkspaceId) -> io::Result<()> {
        let folder = self.root.join(id.as_str());
        self.locks.remove(id);
        run(move || match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
        .await
    }
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Two letters a folder: some thousand chunks are no trouble for any file system then.
fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name.get(..2).unwrap_or("__")).join(name)
}

fn put(folder: &Path, bytes: &[u8]) -> io::Result<(String, u64)> {
    let name = blake3::hash(bytes).to_hex().to_string();
    let path = path(folder, &name);
    if path.exists() {
        return Ok((name, 0));
    }
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let packed = zstd::bulk::compress(bytes, LEVEL)?;
    let draft = parent.join(format!("{name}.new"));
    let mut file = File::create(&draft)?;
    file.write_all(&packed)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(parent)?.sync_all()?;
    Ok((name, packed.len() as u64))
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
        let vault = Vault::new(folder.path().to_owned());
        let (ours, theirs) = (WorkspaceId::generate(&SystemRandom), WorkspaceId::generate(&SystemRandom));
        let (name, stored) = vault.put(&ours, Part::Chunk, vec![7; 100_000]).await.unwrap();
        assert!(stored > 0 && stored < 1_000, "it is compressed: {stored}");
        assert_eq!(vault.put(&ours, Part::Chunk, vec![7; 100_000]).await.unwrap(), (name.clone(), 0));
        assert_eq!(vault.get(&ours, Part::Chunk, &name).await.unwrap(), vec![7; 100_000]);
        assert!(vault.get(&theirs, Part::Chunk, &name).await.is_err(), "nobody reads what others keep");
        fs::write(path(&vault.folder(&ours, Part::Chunk), &name), zstd::bulk::compress(b"x", 1).unwrap()).unwrap();
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
