//! The two listening sockets of a workspace, made by the platform before anything of the workspace exists.
//!
//! Their names are in a folder of the server's own and never visible inside, so nobody there can replace one by a link.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UnixStream;

/// The folder of all sockets. Open, for a socket's path may be no longer than 107 bytes.
#[derive(Debug, Clone)]
pub(super) struct Hall(Arc<File>, PathBuf);

impl Hall {
    /// An empty folder: what a killed server left in it is of no use.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        crate::local::layout::remove_tree(folder)?;
        std::fs::create_dir_all(folder)?;
        Ok(Self(Arc::new(File::open(folder)?), folder.to_path_buf()))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }
}

/// Where to knock. The names go when this does.
#[derive(Debug)]
pub(super) struct Doors {
    hall: Hall,
    number: u64,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    Attendant,
    Editor,
}

impl Doors {
    /// Makes both: where to knock, and what the sandbox is given (the attendant's, the editor's).
    pub(super) fn make(hall: &Hall) -> io::Result<(Self, UnixListener, UnixListener)> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let doors = Self { hall: hall.clone(), number: NEXT.fetch_add(1, Ordering::Relaxed) };
        let attendant = UnixListener::bind(doors.path(Inner::Attendant))?;
        let editor = UnixListener::bind(doors.path(Inner::Editor))?;
        Ok((doors, attendant, editor))
    }

    fn name(&self, door: Inner) -> String {
        let letter = if door == Inner::Attendant { 'a' } else { 'e' };
        format!("{}{letter}", self.number)
    }

    fn path(&self, door: Inner) -> PathBuf {
        self.hall.path(&self.name(door))
    }

    /// Connects; succeeds as soon as the backlog has room, whoever accepts.
    pub(super) async fn knock(&self, door: Inner) -> io::Result<UnixStream> {
        UnixStream::connect(self.path(door)).await
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        for door in [Inner::Attendant, Inner::Editor] {
            // The next start empties the folder anyway.
            let _ = std::fs::remove_file(self.hall.1.join(self.name(door)));
        }
    }
}
