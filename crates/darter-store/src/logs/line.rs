//! One line as it lies on disk: a JSON object with short names, newline at its end, never a newline inside.

use std::borrow::Cow;

use darter_core::record::{Level, LogRecord, LogSource};
use serde::{Deserialize, Serialize};

/// The longest message kept; what is longer is cut and says so.
pub const MESSAGE_LIMIT: usize = 16 << 10;

/// A written line with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Unique within the app and rising.
    pub cursor: u64,
    pub record: LogRecord,
}

/// A line as JSON. The names are short because they are written millions of times.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored<'a> {
    #[serde(rename = "c")]
    pub cursor: u64,
    #[serde(rename = "t")]
    pub time: i64,
    #[serde(rename = "s")]
    pub source: LogSource,
    #[serde(rename = "l")]
    pub level: Level,
    #[serde(rename = "f", borrow)]
    pub function: Cow<'a, str>,
    #[serde(rename = "v")]
    pub version: u32,
    #[serde(rename = "r", borrow)]
    pub request_id: Cow<'a, str>,
    #[serde(rename = "m", borrow)]
    pub message: Cow<'a, str>,
}

impl Stored<'_> {
    pub fn into_line(self, app: &darter_core::AppId) -> Line {
        let record = LogRecord {
            time: self.time,
            app: app.clone(),
            source: self.source,
            level: self.level,
            function: self.function.into_owned(),
            version: self.version,
            request_id: self.request_id.into_owned(),
            message: self.message.into_owned(),
        };
        Line { cursor: self.cursor, record }
    }
}

/// Reads one line; `None` when it is torn or not ours.
pub(super) fn decode(bytes: &[u8]) -> Option<Stored<'_>> {
    serde_json::from_slice(bytes).ok()
}

/// Appends a line to a buffer.
pub(super) fn encode(cursor: u64, record: &LogRecord, buffer: &mut Vec<u8>) {
    let start = buffer.len();
    let stored = Stored {
        cursor,
        time: record.time,
        source: record.source,
        level: record.level,
        function: Cow::Borrowed(&record.function),
        version: record.version,
        request_id: Cow::Borrowed(&record.request_id),
        message: Cow::Borrowed(&record.message),
    };
    match serde_json::to_writer(&mut *buffer, &stored) {
        Ok(()) => buffer.push(b'\n'),
        Err(error) => {
            // Strings and numbers always serialise; were it ever otherwise, half a line must not stay.
            tracing::error!(%error, "a log line could not be written as JSON");
            buffer.truncate(start);
        }
    }
}

/// Cuts what is too long, at a character's border. Function and request id come from a sandbox too.
pub(super) fn clamp(mut record: LogRecord) -> LogRecord {
    cut(&mut record.message, MESSAGE_LIMIT, "… (cut at 16 KiB)");
    cut(&mut record.function, 256, "");
    cut(&mut record.request_id, 128, "");
    record
}

fn cut(text: &mut String, limit: usize, mark: &str) {
    if text.len() <= limit {
        return;
    }
    let mut end = limit.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(mark);
    text.shrink_to_fit();
}

/// A cursor as the API shows it: 16 hex digits, so that text sorts as numbers do.
pub fn format_cursor(cursor: u64) -> String {
    format!("{cursor:016x}")
}

/// Reads what [`format_cursor`] wrote.
pub fn parse_cursor(text: &str) -> Option<u64> {
    if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u64::from_str_radix(text, 16).ok()
    } else {
        None
    }
}
