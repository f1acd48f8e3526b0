//! Watches the folder that a job fills, and says when it has become too large or the disk too full.
//!
//! There is no quota of the kernel's that works on every file system, so the tree is measured again and again while the
//! job runs: the work is bounded by the limit itself, and takes at most a fifth of one core's time. Files that are
//! deleted and still open are in no tree; the room that is left on the disk is looked at, too, for their sake.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layout::{self, TreeSize};

const EVERY: Duration = Duration::from_millis(500);
/// Room on the disk that a job must leave to everybody else: this, or a twentieth of a small disk.
const RESERVE: u64 = 1 << 30;

/// How much a job may leave in a folder.
#[derive(Debug, Clone)]
pub struct Quota {
    pub folder: PathBuf,
    pub most: TreeSize,
}

/// Which bound was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// The folder's size when it was measured last.
    Folder(TreeSize),
    /// Hardly any room is left on the disk.
    Disk,
}

impl Quota {
    /// Resolves when a bound is passed; never before.
    pub async fn passed(self) -> Excess {
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            let quota = self.clone();
            match tokio::task::spawn_blocking(move || quota.look()).await {
                Ok(Ok(Some(excess))) => return excess,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a job's folder could not be measured; trying again"),
                // The program is ending.
                Err(_) => {}
            }
            pause = EVERY.max(began.elapsed() * 4);
        }
    }

    fn look(&self) -> io::Result<Option<Excess>> {
        if room_is_short(&self.folder)? {
            return Ok(Some(Excess::Disk));
        }
        let size = layout::measure_living(&self.folder, self.most)?;
        Ok((!size.within(self.most)).then_some(Excess::Folder(size)))
    }
}

fn room_is_short(folder: &Path) -> io::Result<bool> {
    let disk = rustix::fs::statvfs(folder)?;
    let (free, total) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
    Ok(free < RESERVE.min(total / 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_within_its_quota_is_left_alone_and_a_larger_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/file"), vec![1; 300_000]).unwrap();
        let look = |bytes, files| {
            Quota { folder: folder.path().to_path_buf(), most: TreeSize { bytes, files } }.look().unwrap()
        };
        assert_eq!(look(1 << 20, 2), None);
        assert!(matches!(look(1 << 20, 1), Some(Excess::Folder(_))));
        assert!(matches!(look(200_000, 10), Some(Excess::Folder(size)) if size.bytes >= 300_000));
    }
}
