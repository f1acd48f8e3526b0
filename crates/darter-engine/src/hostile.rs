//! For fuzzing and for the tests that replay what it found: bytes of a sandbox, against what reads them on the host.
//! Nothing in the product calls this.

use crate::egress;
use crate::environment::hostile as environment;
use crate::local::hostile as local;

/// A request to the egress proxy. Panics when one that is accepted could be read in two ways.
pub fn proxy(bytes: &[u8]) {
    let Ok(Some((request, length))) = egress::request::parse(bytes) else { return };
    assert!(length <= bytes.len(), "the head is within what was sent");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    assert!(!request.host.is_empty() && request.host.bytes().all(plain), "the host is plain: {:?}", request.host);
    let Some(head) = request.forward else { return };
    let ends = head.windows(4).filter(|four| four == b"\r\n\r\n").count();
    assert!(ends == 1 && head.ends_with(b"\r\n\r\n"), "one head goes on");
    assert!(!head.windows(2).any(|two| two[0] != b'\r' && two[1] == b'\n'), "no bare line feed goes on");
}

/// What a program writes: lines of its output, and words on the control channel.
pub fn speech(bytes: &[u8]) {
    local::lines(bytes, |line| {
        assert!(line.len() <= 3 * local::LINE + 16, "a line is bounded");
        let odd =
            |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!line.chars().any(odd), "a line is harmless: {line:?}");
    });
    local::word(bytes);
}

/// Layers of an image, unpacked below `folder`. Panics when anything beside that changes, or when what was unpacked could
/// do harm.
pub fn layer(folder: &std::path::Path, bytes: &[u8]) {
    environment::layer(folder, bytes);
}
