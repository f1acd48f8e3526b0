//! For fuzzing and for the tests that replay what it found: what anybody may send, against what reads it. Nothing in the
//! product calls this.

use darter_core::SystemRandom;

use crate::seal::Sealer;
use crate::{account, app, domain, draft, idempotency, language, page, provider, resource};

/// An app's file. Panics when one that is accepted is not written and read again as the same.
pub fn archive(bytes: &[u8]) {
    app::hostile::archive(bytes);
}

/// An answer of a name server.
pub fn dns(bytes: &[u8]) {
    domain::hostile::answer(bytes);
}

/// What a language server says.
pub fn language_server(bytes: &[u8]) {
    language::hostile::messages(bytes);
}

/// A text that somebody typed or that a client kept: cookies, keys, cursors, names, hosts, ways back, ranges.
pub fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let sealer = Sealer::new("fuzzing", &[7; 32]);
    assert_eq!(sealer.open("flow", &text), None, "nobody else can seal");
    let sealed = sealer.seal("flow", bytes, &SystemRandom).expect("sealing works");
    assert_eq!(sealer.open("flow", &sealed).as_deref(), Some(bytes));
    let _ = page::time_and_id(&text);
    let account = darter_core::AccountId::generate(1, &SystemRandom);
    let _ = idempotency::Keyed::new(account, &text, ("POST", &text, bytes));
    account::hostile::rules(&text);
    resource::hostile::names(&text);
    domain::hostile::host(&text);
    provider::hostile::way_back(&text);
    draft::hostile::request(&text);
}
