//! For fuzzing and for the tests that replay what it found: lines of a log, whatever bytes are in them, and what is asked
//! of them. Nothing in the product calls this.

use darter_core::AppId;
use darter_core::record::{Level, LogRecord, LogSource};

use super::{Filter, Line, format_cursor, line, parse_cursor};

/// Reads bytes as a line, as a cursor, and as a message that is written, read again and searched for. Panics when what is
/// read is not what was written.
pub fn line(bytes: &[u8], app: &AppId) {
    if let Some(stored) = line::decode(bytes) {
        let _ = stored.into_line(app);
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    if let Some(cursor) = parse_cursor(&text) {
        assert!(format_cursor(cursor).eq_ignore_ascii_case(&text), "a cursor has one form");
    }
    let half = text.floor_char_boundary(text.len() / 2);
    let record = line::clamp(LogRecord {
        time: 1,
        app: app.clone(),
        source: LogSource::Function,
        level: Level::Info,
        function: text[..half].to_owned(),
        version: 1,
        request_id: text[half..].to_owned(),
        message: text.clone(),
    });
    let mut written = Vec::new();
    line::encode(7, &record, &mut written);
    assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    let read = line::decode(&written).expect("what was written is read").into_line(app);
    let filter = Filter { text: Some(text[..half].to_owned()), ..Filter::default() };
    assert!(record.message.len() < text.len() || filter.takes_line(&read), "what is in it is found");
    assert_eq!(read, Line { cursor: 7, record });
}
