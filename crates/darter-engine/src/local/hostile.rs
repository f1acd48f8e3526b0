//! The private readers behind [`crate::hostile`].

use std::time::Instant;

use super::{control, output};

/// Longest line of output that is passed on, before it is marked as cut.
pub(crate) use super::output::LINE;

/// Splits output into lines as it comes, in pieces of every size.
pub(crate) fn lines(bytes: &[u8], mut each: impl FnMut(String)) {
    let mut splitter = output::Splitter::default();
    let now = Instant::now();
    let size = bytes.first().map_or(1, |first| usize::from(*first) + 1);
    bytes.chunks(size).for_each(|piece| splitter.feed(piece, now, &mut each));
    splitter.end(&mut each);
}

/// Reads one line of the control channel.
pub(crate) fn word(bytes: &[u8]) {
    if let Ok(control::Word::Log { message, .. }) = serde_json::from_slice(bytes) {
        assert!(control::clamp(message, control::MESSAGE).len() <= control::MESSAGE, "a message is bounded");
    }
}
