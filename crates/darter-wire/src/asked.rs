//! What a stream asked for, as we sent it: so that a log can name the requests whose answers never came.
//!
//! Costs one small allocation per request, and never holds a header or a body.

use crate::exchange::RequestHead;

/// Longest path that is kept.
const PATH: usize = 128;
/// Longest request id and pin that are kept.
const ID: usize = 64;

/// A request without a complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Without the query, at most 128 bytes.
    pub path: String,
    /// As in [`RequestHead`].
    pub pin: String,
    pub request_id: String,
}

/// The same in one piece.
#[derive(Debug)]
pub struct Note(Box<str>);

impl Note {
    pub fn of(head: &RequestHead<'_>) -> Self {
        let path = head.target.split('?').next().unwrap_or_default();
        let (path, pin, id) = (cut(path, PATH), cut(head.pin, ID), cut(head.request_id, ID));
        let mut text = String::with_capacity(path.len() + pin.len() + id.len() + 2);
        for (part, end) in [(path, "\n"), (pin, "\n"), (id, "")] {
            text.push_str(part);
            text.push_str(end);
        }
        Self(text.into_boxed_str())
    }

    pub fn asked(&self) -> Asked {
        // No field of a request's head holds a line's end: the codec refuses it.
        let mut parts = self.0.splitn(3, '\n').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Asked { path: next(), pin: next(), request_id: next() }
    }
}

fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
