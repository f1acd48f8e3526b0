//! Reading a log: newest first with a cursor for pages, or onwards from a cursor for a reader who comes back.
//!
//! Reads run outside the async threads, a few at once, and hold no lock while they read.

use std::io;
use std::sync::PoisonError;

use darter_core::AppId;
use darter_core::record::Level;
use tokio::sync::Semaphore;

use super::append::LogStore;
use super::line::{self, Line, Stored};
use super::segment::{self, Summary};

/// Searches at once; each may read a whole app's log.
static READERS: Semaphore = Semaphore::const_new(4);

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub function: Option<String>,
    pub version: Option<u32>,
    pub request_id: Option<String>,
    /// This level and above.
    pub level: Option<Level>,
    /// Included.
    pub since: Option<i64>,
    /// Excluded.
    pub until: Option<i64>,
    /// Contained in the message, whatever the case.
    pub text: Option<String>,
}

impl Filter {
    fn takes(&self, line: &Stored<'_>) -> bool {
        self.function.as_deref().is_none_or(|name| line.function == name)
            && self.version.is_none_or(|version| line.version == version)
            && self.request_id.as_deref().is_none_or(|id| line.request_id == id)
            && self.level.is_none_or(|level| line.level >= level)
            && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
            && self.text.as_deref().is_none_or(|text| contains(&line.message, text))
    }

    /// Does the filter take this line? For live tails.
    pub fn takes_line(&self, line: &Line) -> bool {
        let record = &line.record;
        self.function.as_ref().is_none_or(|name| record.function == *name)
            && self.version.is_none_or(|version| record.version == version)
            && self.request_id.as_ref().is_none_or(|id| record.request_id == *id)
            && self.level.is_none_or(|level| record.level >= level)
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && self.text.as_deref().is_none_or(|text| contains(&record.message, text))
    }

    /// Can a segment hold a line for this filter?
    fn may_be_in(&self, segment: &Summary) -> bool {
        self.since.is_none_or(|since| segment.max_time >= since)
            && self.until.is_none_or(|until| segment.min_time < until)
    }
}

fn contains(message: &str, text: &str) -> bool {
    message.contains(text) || message.to_lowercase().contains(&text.to_lowercase())
}

/// A page of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub lines: Vec<Line>,
    /// There are older (or, onwards, newer) ones: go on from here.
    pub next: Option<u64>,
}

impl LogStore {
    /// At most `limit` lines before `before`, the newest first.
    pub async fn search(&self, app: &AppId, filter: Filter, before: Option<u64>, limit: usize) -> io::Result<Found> {
        self.read(app, move |store, app| store.backwards(app, &filter, before.unwrap_or(u64::MAX), limit)).await
    }

    /// At most `limit` lines after `after`, the oldest first.
    pub async fn onwards(&self, app: &AppId, filter: Filter, after: u64, limit: usize) -> io::Result<Found> {
        self.read(app, move |store, app| store.forwards(app, &filter, after, limit)).await
    }

    /// The cursor of the newest line; 0 when there is none.
    pub async fn newest(&self, app: &AppId) -> io::Result<u64> {
        self.read(app, |store, app| Ok(store.snapshot(app)?.last().map_or(0, |segment| segment.last))).await
    }

    async fn read<T: Send + 'static>(
        &self,
        app: &AppId,
        work: impl FnOnce(&LogStore, &AppId) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _permit = READERS.acquire().await.map_err(io::Error::other)?;
        let (store, app) = (self.clone(), app.clone());
        tokio::task::spawn_blocking(move || work(&store, &app)).await.map_err(io::Error::other)?
    }

    fn snapshot(&self, app: &AppId) -> io::Result<Vec<Summary>> {
        let log = self.inner.app(app)?;
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        debug_assert_eq!(log.folder(), self.inner.folder(app));
        Ok(log.segments())
    }

    fn backwards(&self, app: &AppId, filter: &Filter, before: u64, limit: usize) -> io::Result<Found> {
        let folder = self.inner.folder(app);
        let mut found = Found::default();
        for summary in self.snapshot(app)?.iter().rev() {
            if summary.first >= before || !filter.may_be_in(summary) {
                continue;
            }
            let content = segment::read(&folder, summary)?;
            for stored in content.rsplit(|byte| *byte == b'\n').filter_map(line::decode) {
                if stored.cursor >= before || !filter.takes(&stored) {
                    continue;
                }
                if found.lines.len() == limit {
                    found.next = found.lines.last().map(|line| line.cursor);
                    return Ok(found);
                }
                found.lines.push(stored.into_line(app));
            }
        }
        Ok(found)
    }

    fn forwards(&self, app: &AppId, filter: &Filter, after: u64, limit: usize) -> io::Result<Found> {
        let folder = self.inner.folder(app);
        let mut found = Found::default();
        for summary in &self.snapshot(app)? {
            if summary.last <= after || !filter.may_be_in(summary) {
                continue;
            }
            let content = segment::read(&folder, summary)?;
            for stored in content.split(|byte| *byte == b'\n').filter_map(line::decode) {
                if stored.cursor <= after || !filter.takes(&stored) {
                    continue;
                }
                if found.lines.len() == limit {
                    found.next = found.lines.last().map(|line| line.cursor);
                    return Ok(found);
                }
                found.lines.push(stored.into_line(app));
            }
        }
        Ok(found)
    }
}
