//! Texts that leave the server, or lie in the database, and that only this server may read or make: the cookie of a
//! sign-in elsewhere, kept answers. Each purpose has a key of its own; a text sealed for one does not open for another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use darter_core::{Fault, Random};

const NONCE_BYTES: usize = 24;

/// Seals and opens texts of one purpose.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    /// For a purpose; `purpose` must be a constant of its own.
    pub fn new(purpose: &'static str, master: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&blake3::derive_key(purpose, master).into()) }
    }

    /// Seals bytes, bound to a context (whose they are).
    pub fn seal(&self, context: &str, bytes: &[u8], random: &dyn Random) -> Result<String, Fault> {
        let mut nonce = [0u8; NONCE_BYTES];
        random.fill(&mut nonce);
        let payload = Payload { msg: bytes, aad: context.as_bytes() };
        let sealed =
            self.cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Fault::internal("sealing failed"))?;
        Ok(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// The bytes again; None: not ours, changed, or of another context.
    pub fn open(&self, context: &str, text: &str) -> Option<Vec<u8>> {
        let bytes = BASE64.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        self.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: context.as_bytes() }).ok()
    }
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn a_sealed_text_opens_only_as_it_is_and_where_it_belongs() {
        let sealer = Sealer::new("test one", &[7; 32]);
        let text = sealer.seal("ada", b"hello", &SystemRandom).unwrap();
        assert_eq!(sealer.open("ada", &text).as_deref(), Some(&b"hello"[..]));
        assert_eq!(sealer.open("bob", &text), None);
        assert_eq!(Sealer::new("test two", &[7; 32]).open("ada", &text), None);
        assert_eq!(Sealer::new("test one", &[8; 32]).open("ada", &text), None);
        assert_eq!(sealer.open("ada", &text[1..]), None);
        assert_eq!(sealer.open("ada", ""), None);
    }
}
