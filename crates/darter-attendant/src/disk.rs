//! How full the home is, and making what was written last.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};

/// What the file system of the home says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Disk {
    pub(crate) bytes: u64,
    pub(crate) limit_bytes: u64,
    pub(crate) files: u64,
    pub(crate) limit_files: u64,
}

/// One look; `None` when there is no home.
pub(crate) fn look(home: &Path) -> Option<Disk> {
    let seen = rustix::fs::statvfs(home).ok()?;
    // What only root may use is nobody's here, so it counts as used by none and available to none.
    let reserved = seen.f_bfree.saturating_sub(seen.f_bavail);
    Some(Disk {
        bytes: seen.f_blocks.saturating_sub(seen.f_bfree).saturating_mul(seen.f_frsize),
        limit_bytes: seen.f_blocks.saturating_sub(reserved).saturating_mul(seen.f_frsize),
        files: seen.f_files.saturating_sub(seen.f_ffree),
        limit_files: seen.f_files,
    })
}

/// `POST /v1/sync`: everything in the home's file system is on the disk when this answers.
pub(crate) async fn sync(attendant: &Arc<Attendant>) -> Answer {
    let home = attendant.home.clone();
    blocking(move || {
        let folder = rustix::fs::open(&home, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        match rustix::fs::syncfs(folder.at(&home)?) {
            Err(Errno::PERM | Errno::NOSYS) => {
                Err(Fault::new("sync.refused", "this sandbox may not call syncfs; sync the volume from outside"))
            }
            other => other.at(&home),
        }
    })
    .await?;
    answer::done()
}
