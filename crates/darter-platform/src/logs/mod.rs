//! Reading an app's log: search page by page, and a live tail that picks up where a reader left.

use std::sync::Arc;

use darter_api::log::{LogLine, LogQuery};
use darter_api::page::Page;
use darter_core::record::{Level, LogSource};
use darter_core::{AppId, Fault};
use darter_store::logs::{Filter, Line, LogStore, format_cursor, parse_cursor};
use tokio::sync::broadcast;

use crate::access::Opened;
use crate::page::malformed_cursor;
use crate::{Actor, Platform};

const LIMIT: u32 = 200;
const LIMIT_MAX: u32 = 1_000;

/// A line as the API shows it.
pub(crate) fn show(line: &Line) -> LogLine {
    let record = &line.record;
    LogLine {
        cursor: format_cursor(line.cursor),
        time: record.time,
        source: match record.source {
            LogSource::Function => "function".to_owned(),
            LogSource::Platform => "platform".to_owned(),
        },
        level: match record.level {
            Level::Debug => "debug".to_owned(),
            Level::Info => "info".to_owned(),
            Level::Warn => "warn".to_owned(),
            Level::Error => "error".to_owned(),
        },
        function: record.function.clone(),
        version: record.version,
        request_id: record.request_id.clone(),
        message: record.message.clone(),
    }
}

fn filter(query: &LogQuery) -> Result<Filter, Fault> {
    let level = match query.level.as_deref() {
        None | Some("") => None,
        Some("debug") => Some(Level::Debug),
        Some("info") => Some(Level::Info),
        Some("warn") => Some(Level::Warn),
        Some("error") => Some(Level::Error),
        Some(_) => return Err(Fault::invalid("log.level_unknown", "Choose one of debug, info, warn, error.")),
    };
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let text = given(&query.text);
    if text.as_ref().is_some_and(|text| text.len() > 1_000) {
        return Err(Fault::invalid("log.text_too_long", "Search for at most 1,000 bytes of text."));
    }
    Ok(Filter {
        function: given(&query.function),
        version: query.version,
        request_id: given(&query.request_id),
        level,
        since: query.since,
        until: query.until,
        text,
    })
}

fn cursor(query: &LogQuery) -> Result<Option<u64>, Fault> {
    query.cursor.as_deref().map(|cursor| parse_cursor(cursor).ok_or_else(malformed_cursor)).transpose()
}

/// Lines that fit, the newest first.
pub async fn search(platform: &Platform, actor: &Actor, app: &AppId, query: &LogQuery) -> Result<Page<LogLine>, Fault> {
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Fault::invalid("page.limit_invalid", format!("limit is from 1 to {LIMIT_MAX}.")));
    }
    let (filter, before) = (filter(query)?, cursor(query)?);
    Opened::read(platform, actor, app).await?;
    let found = platform.apps.logs.search(app, filter, before, limit as usize).await.map_err(Fault::internal)?;
    Ok(Page { items: found.lines.iter().map(show).collect(), next: found.next.map(format_cursor) })
}

/// A live tail, the oldest first. Ends when it is dropped.
pub struct Tail {
    store: LogStore,
    app: AppId,
    filter: Filter,
    live: broadcast::Receiver<Arc<Line>>,
    /// The newest line that the reader has, or that it does not want.
    after: u64,
    /// Lines on disk may be ahead of the reader.
    behind: bool,
}

/// Opens a tail: with a cursor, from the line after it on; else from now on.
pub async fn tail(platform: &Platform, actor: &Actor, app: &AppId, query: &LogQuery) -> Result<Tail, Fault> {
    let (filter, after) = (filter(query)?, cursor(query)?);
    Opened::read(platform, actor, app).await?;
    let store = platform.apps.logs.clone();
    let live = store.subscribe(app);
    let (after, behind) = match after {
        Some(after) => (after, true),
        None => (store.newest(app).await.map_err(Fault::internal)?, false),
    };
    Ok(Tail { store, app: app.clone(), filter, live, after, behind })
}

impl Tail {
    /// The next lines. A reader that was too slow for the live lines reads them from disk: none is missed while it is kept.
    pub async fn next(&mut self) -> Result<Vec<LogLine>, Fault> {
        loop {
            if self.behind {
                let found = self
                    .store
                    .onwards(&self.app, self.filter.clone(), self.after, 500)
                    .await
                    .map_err(Fault::internal)?;
                self.behind = found.next.is_some();
                if let Some(last) = found.lines.last() {
                    self.after = last.cursor;
                    return Ok(found.lines.iter().map(show).collect());
                }
            }
            match self.live.recv().await {
                Ok(line) if line.cursor > self.after => {
                    self.after = line.cursor;
                    if self.filter.takes_line(&line) {
                        return Ok(vec![show(&line)]);
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                // The app was removed for good: nothing comes any more.
                Err(broadcast::error::RecvError::Closed) => return Ok(Vec::new()),
            }
        }
    }
}
