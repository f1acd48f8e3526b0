//! The private reader of [`crate::hostile::language_server`].

use super::framing;

/// Messages, one after the other, until one is broken.
pub(crate) fn messages(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    runtime.block_on(async {
        let mut input = bytes;
        while let Ok(Some(message)) = framing::read(&mut input).await {
            assert!(message.len() <= bytes.len(), "nothing is made up");
        }
    });
}
