//! What is known in memory about one app's segments. Loaded from disk at the first use of the app.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use darter_core::record::LogRecord;

use super::durable::{Durability, Noted};
use super::line::{self, Line};
use super::segment::{self, Summary};

/// One app's log: full segments, the one that is being written, and the next cursor.
#[derive(Debug)]
pub struct AppLog {
    folder: PathBuf,
    sealed: Vec<Summary>,
    current: Summary,
    file: Option<Noted>,
}

impl AppLog {
    /// Reads what is on disk. Costs one scan of the newest segment.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let mut firsts = segment::list(folder)?;
        let current = match firsts.pop() {
            Some(newest) => segment::scan(folder, newest)?,
            None => Summary::empty(1),
        };
        let sealed = firsts.into_iter().map(|first| segment::summary(folder, first)).collect::<io::Result<_>>()?;
        Ok(Self { folder: folder.to_owned(), sealed, current, file: None })
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.sealed.iter().map(|summary| summary.bytes).sum::<u64>() + self.current.bytes
    }

    /// The segments as they are now, the oldest first. Reading them needs no lock: they only grow at the end.
    pub fn segments(&self) -> Vec<Summary> {
        let mut all = self.sealed.clone();
        if !self.current.is_empty() {
            all.push(self.current.clone());
        }
        all
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes records as one piece. On an error nothing of them stays.
    pub fn write(
        &mut self,
        records: Vec<LogRecord>,
        segment_bytes: u64,
        durability: &Durability,
    ) -> io::Result<Vec<Line>> {
        if self.current.bytes >= segment_bytes {
            self.rotate()?;
        }
        let mut buffer = Vec::with_capacity(records.len() * 160);
        let mut next = self.current.clone();
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let cursor = next.last + 1;
            line::encode(cursor, &record, &mut buffer);
            next.add(cursor, record.time);
            lines.push(Line { cursor, record });
        }
        next.bytes += buffer.len() as u64;
        self.write_bytes(&buffer, durability)?;
        self.current = next;
        Ok(lines)
    }

    fn write_bytes(&mut self, buffer: &[u8], durability: &Durability) -> io::Result<()> {
        let noted = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(Noted::new(segment::open_for_append(&self.folder, &self.current)?)),
        };
        let written = (&*noted.file).write_all(buffer);
        durability.note(noted);
        if written.is_err() {
            // Half of it may be there: the next opening cuts the file back to the last whole line.
            self.file = None;
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        segment::seal(&self.folder, &self.current)?;
        self.file = None;
        let next = Summary::empty(self.current.last + 1);
        self.sealed.push(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    /// Deletes the oldest full segments until the app is within its quota. Returns the bytes that went.
    pub fn shrink(&mut self, quota: u64) -> io::Result<u64> {
        let mut freed = 0;
        while self.bytes() > quota && !self.sealed.is_empty() {
            freed += self.delete_oldest()?;
        }
        Ok(freed)
    }

    /// Deletes the oldest full segment. Returns its size; 0 when there is none.
    pub fn delete_oldest(&mut self) -> io::Result<u64> {
        let Some(oldest) = self.sealed.first() else { return Ok(0) };
        segment::delete(&self.folder, oldest.first)?;
        Ok(self.sealed.remove(0).bytes)
    }

    /// Time of the newest line in the oldest full segment.
    pub fn oldest_time(&self) -> Option<i64> {
        self.sealed.first().map(|summary| summary.max_time)
    }

    /// Closes the file until the next line.
    pub fn rest(&mut self) {
        self.file = None;
    }
}
