//! The logs of all apps on disk: append-only segments of JSON lines, one folder per app.
//!
//! ```text
//! logs/<app>/<first cursor, 16 hex digits>.jsonl     lines, rising cursors; the newest one is being written
//! logs/<app>/<first cursor, 16 hex digits>.idx       written when a segment is full: its cursors and times
//! ```
//! Appending never blocks and never fails: what does not fit in the bounded queue, or on the disk, is counted and
//! the app's own log says how many lines are missing. One thread writes; a batch is one `write` per app. A line cut
//! by `kill -9` is taken away before the next one is written. Nothing here may trust a message: it is data between
//! quotes, whatever bytes the tenant chose.

mod append;
mod durable;
pub mod hostile;
mod index;
mod line;
mod search;
mod segment;
mod sweep;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use darter_core::AppId;
use darter_core::record::LogRecord;
use tokio::sync::{broadcast, oneshot};

pub use append::LogStore;
pub use line::{Line, format_cursor, parse_cursor};
pub use search::{Filter, Found};

/// How much is kept, and how much may wait to be written.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The folder; made when it is not there.
    pub folder: PathBuf,
    /// Bytes kept for one app; the oldest segments go first.
    pub app_bytes: u64,
    /// Bytes kept for all apps together.
    pub total_bytes: u64,
    /// Bytes of one app that may wait to be written; what comes on top is counted and dropped.
    pub pending_bytes: usize,
}

impl LogOptions {
    /// 64 MiB for an app, 4 GiB for all.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, app_bytes: 64 << 20, total_bytes: 4 << 30, pending_bytes: 4 << 20 }
    }

    /// A full segment's size: small enough that deleting the oldest keeps most of the log.
    fn segment_bytes(&self) -> u64 {
        (self.app_bytes / 16).clamp(4 << 10, 4 << 20)
    }
}

/// Lines that could not be kept, since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLosses {
    pub dropped: u64,
}

impl LogStore {
    /// Takes a line. Returns at once; a full queue drops it and counts it.
    pub fn append(&self, record: LogRecord) {
        self.enqueue(record);
    }

    /// The app's lines from now on, as they are written. A slow reader misses lines (`Lagged`), never stops the writer.
    pub fn subscribe(&self, app: &AppId) -> broadcast::Receiver<Arc<Line>> {
        self.inner.tails.entry(app.clone()).or_insert_with(|| broadcast::channel(1_024).0).subscribe()
    }

    /// Returns when everything appended before the call is in its file and with the subscribers.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.inner.queue.send(append::Message::Flush(done)).is_ok() {
            // An error means that the writer ended: it writes everything before it does.
            let _ = wait.await;
        }
    }

    /// Removes everything kept for an app that is gone.
    pub async fn forget(&self, app: &AppId) {
        let (done, wait) = oneshot::channel();
        if self.inner.queue.send(append::Message::Forget(app.clone(), done)).is_ok() {
            let _ = wait.await;
        }
    }

    /// What was lost since the start.
    pub fn losses(&self) -> LogLosses {
        LogLosses { dropped: self.inner.dropped.load(Ordering::Relaxed) }
    }

    /// Bytes that wait to be written.
    pub fn pending_bytes(&self) -> u64 {
        self.inner.pending.load(Ordering::Relaxed) as u64
    }
}

#[cfg(test)]
mod tests;
