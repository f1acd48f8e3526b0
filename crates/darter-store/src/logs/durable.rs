//! Brings written lines from the kernel's memory to the disk: once a second, in a thread of its own.
//!
//! The writer must never wait for a disk that is slow, and a line is never held back for it: logs are telemetry, not
//! acknowledged writes (docs/decisions/2026-11-25-telemetry-durability.md).

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long lines gather before their files are written through.
const GATHER: Duration = Duration::from_secs(1);

/// A file with lines that the disk may not have yet.
struct Dirty {
    file: Arc<File>,
    noted: Arc<AtomicBool>,
}

/// Takes note of files that were written to.
#[derive(Debug)]
pub struct Durability {
    queue: Sender<Dirty>,
}

/// One open file, and whether it is on the list of the next round.
#[derive(Debug)]
pub struct Noted {
    pub file: Arc<File>,
    noted: Arc<AtomicBool>,
}

impl Noted {
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file), noted: Arc::default() }
    }
}

impl Durability {
    /// Starts the thread. It ends when this is dropped, after a last round.
    pub fn start() -> io::Result<Self> {
        let (queue, files) = channel();
        std::thread::Builder::new().name("darter-logs-disk".into()).spawn(move || work(&files))?;
        Ok(Self { queue })
    }

    /// The file has new lines. Never blocks; a file is on the list once.
    pub fn note(&self, file: &Noted) {
        if !file.noted.swap(true, Ordering::AcqRel) {
            // Fails only when the thread is gone, which a panic in it would have told.
            let _ = self.queue.send(Dirty { file: Arc::clone(&file.file), noted: Arc::clone(&file.noted) });
        }
    }
}

fn work(files: &Receiver<Dirty>) {
    while let Ok(first) = files.recv() {
        let mut round = vec![first];
        let until = Instant::now() + GATHER;
        let mut ended = false;
        while !ended {
            match files.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(file) => round.push(file),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => ended = true,
            }
        }
        for Dirty { file, noted } in round {
            // Before the disk is asked: a line that comes meanwhile belongs to the next round.
            noted.store(false, Ordering::Release);
            if let Err(error) = file.sync_data() {
                tracing::warn!(%error, "log lines could not be brought to the disk; a power cut now may cost them");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_on_the_list_once_a_round_and_again_in_the_next() {
        let (queue, files) = channel();
        let durability = Durability { queue };
        let noted = Noted::new(tempfile::tempfile().unwrap());
        for _ in 0..3 {
            (&*noted.file).write_all(b"line\n").unwrap();
            durability.note(&noted);
        }
        let dirty = files.try_recv().unwrap();
        assert!(files.try_recv().is_err(), "once");
        dirty.noted.store(false, Ordering::Release);
        durability.note(&noted);
        assert!(files.try_recv().is_ok(), "again");
        drop(durability);
        work(&files);
    }
}
