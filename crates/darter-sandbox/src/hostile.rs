//! For fuzzing and for the tests that replay what it found: bytes that are no message, against the launcher's decoders.
//! Nothing in the product calls this.

use crate::inside::Report;
use crate::launcher::protocol::{Reply, Request, Word};

/// Decodes the bytes as every kind of message. Panics when one message has two forms.
pub fn message(bytes: &[u8]) {
    if let Ok(request) = Request::decode(bytes) {
        assert_eq!(request.encode(), bytes, "a request has one form");
    }
    if let Ok(reply) = Reply::decode(bytes) {
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply), "a reply survives the way over");
    }
    if let Ok(word) = Word::decode(bytes) {
        assert_eq!(Word::decode(&word.encode()), Ok(word), "a word survives the way over");
    }
    let _ = Report::parse(bytes, "/program");
}
