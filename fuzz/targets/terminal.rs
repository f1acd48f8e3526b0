//! What the command line prints of texts that others wrote: it never steers a terminal.
#![no_main]

// For the file below.
use serde as _;

#[path = "../../crates/darter/src/command/output.rs"]
#[allow(dead_code)]
mod output;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let steers = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = output::plain(&text);
    assert!(!plain.contains(steers), "{plain:?}");
    let json = output::json_text(&text);
    assert!(!json.contains(steers), "{json:?}");
    assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some(&*text), "JSON says the same");
});
