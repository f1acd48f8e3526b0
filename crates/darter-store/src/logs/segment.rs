//! One segment file: how it is named, read from its end, cut back after a crash, and summarised when it is full.
//!
//! Must never take a file's word: an index is only a hint for skipping, and a line that does not parse is skipped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::line;

/// What is known of a segment without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub first: u64,
    /// Cursor of the last line; `first - 1` when there is none.
    pub last: u64,
    pub min_time: i64,
    pub max_time: i64,
    pub bytes: u64,
}

impl Summary {
    /// A segment without a line, whose first will have this cursor.
    pub fn empty(first: u64) -> Self {
        Self { first, last: first.saturating_sub(1), min_time: i64::MAX, max_time: i64::MIN, bytes: 0 }
    }

    /// Counts a line in.
    pub fn add(&mut self, cursor: u64, time: i64) {
        self.last = self.last.max(cursor);
        self.min_time = self.min_time.min(time);
        self.max_time = self.max_time.max(time);
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

pub fn data_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:016x}.jsonl"))
}

fn index_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:016x}.idx"))
}

/// The first cursors of an app's segments, rising. A folder that is not there has none.
pub fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut firsts = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(line::parse_cursor);
        firsts.extend(first);
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Writes the summary of a full segment beside it. Losing it costs a scan, nothing else.
pub fn seal(folder: &Path, summary: &Summary) -> io::Result<()> {
    let temporary = folder.join(format!("{:016x}.tmp", summary.first));
    fs::write(&temporary, serde_json::to_vec(summary)?)?;
    fs::rename(temporary, index_path(folder, summary.first))
}

/// The summary of a full segment: from its index, or by reading it.
pub fn summary(folder: &Path, first: u64) -> io::Result<Summary> {
    let length = fs::metadata(data_path(folder, first))?.len();
    if let Ok(bytes) = fs::read(index_path(folder, first))
        && let Ok(known) = serde_json::from_slice::<Summary>(&bytes)
        && known.first == first
        && known.bytes == length
    {
        return Ok(known);
    }
    let summary = scan(folder, first)?;
    if let Err(error) = seal(folder, &summary) {
        tracing::debug!(%error, "the index of a log segment could not be written; it is read again next time");
    }
    Ok(summary)
}

/// Reads a whole segment. `bytes` ends after the last whole line.
pub fn scan(folder: &Path, first: u64) -> io::Result<Summary> {
    let content = fs::read(data_path(folder, first))?;
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut summary = Summary::empty(first);
    summary.bytes = whole as u64;
    for stored in content[..whole].split(|byte| *byte == b'\n').filter_map(line::decode) {
        summary.add(stored.cursor, stored.time);
    }
    Ok(summary)
}

/// Opens a segment for writing at its end, after cutting away a torn last line.
pub fn open_for_append(folder: &Path, summary: &Summary) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let mut file =
        OpenOptions::new().create(true).truncate(false).write(true).open(data_path(folder, summary.first))?;
    file.set_len(summary.bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// The first `bytes` of a segment. A segment that was deleted meanwhile is empty.
pub fn read(folder: &Path, summary: &Summary) -> io::Result<Vec<u8>> {
    let file = match File::open(data_path(folder, summary.first)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut content = Vec::with_capacity(usize::try_from(summary.bytes).unwrap_or(0));
    file.take(summary.bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// Deletes a segment and its index. Safe to repeat.
pub fn delete(folder: &Path, first: u64) -> io::Result<()> {
    for path in [index_path(folder, first), data_path(folder, first)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
