//! Secrets at rest: sealed with a key derived from the server's master key, each with a nonce of its own.
//!
//! The sealed text is bound to its app and name: a row copied to another app, or under another name, does not open.
//! Nothing here may ever print or log an opened value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use darter_core::{AppId, Fault, Random};

const NONCE_BYTES: usize = 24;

/// Seals and opens the secrets of apps.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// The vault of this server.
    pub fn new(master: &[u8; 32]) -> Self {
        let key = blake3::derive_key("darter 2026-11 secrets of apps at rest", master);
        Self { cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    /// Text for the store: base64 of nonce and ciphertext.
    pub fn seal(&self, app: &AppId, name: &str, value: &str, random: &dyn Random) -> Result<String, Fault> {
        let mut nonce = [0u8; NONCE_BYTES];
        random.fill(&mut nonce);
        let payload = Payload { msg: value.as_bytes(), aad: &bound_to(app, name) };
        let sealed =
            self.cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Fault::internal("sealing failed"))?;
        Ok(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// The value again. Fails when the master key is another one, or the row was changed or moved.
    pub fn open(&self, app: &AppId, name: &str, sealed: &str) -> Result<String, Fault> {
        let fault = || {
            Fault::internal(format!(
                "the secret {name} of app {app} does not open: the master key under keys/ is not the one it was sealed with, or the row was changed"
            ))
        };
        let bytes = BASE64.decode(sealed).map_err(|_| fault())?;
        let (nonce, text) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(fault)?;
        let payload = Payload { msg: text, aad: &bound_to(app, name) };
        let value = self.cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| fault())?;
        String::from_utf8(value).map_err(|_| fault())
    }
}

fn bound_to(app: &AppId, name: &str) -> Vec<u8> {
    [app.as_str().as_bytes(), b"\0", name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn a_sealed_value_opens_only_for_its_app_name_and_master_key() {
        let (vault, other) = (Vault::new(&[1; 32]), Vault::new(&[2; 32]));
        let (ours, theirs): (AppId, AppId) = ("aaaaaaaaaa".parse().unwrap(), "bbbbbbbbbb".parse().unwrap());
        let sealed = vault.seal(&ours, "KEY", "päss", &SystemRandom).unwrap();
        assert!(!sealed.contains("päss"));
        assert_eq!(vault.open(&ours, "KEY", &sealed).unwrap(), "päss");
        assert!(vault.open(&theirs, "KEY", &sealed).is_err());
        assert!(vault.open(&ours, "KEY2", &sealed).is_err());
        assert!(other.open(&ours, "KEY", &sealed).is_err());
        for broken in ["", "!", "AAAA", &sealed[..sealed.len() - 2]] {
            assert!(vault.open(&ours, "KEY", broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let vault = Vault::new(&[1; 32]);
        let app: AppId = "aaaaaaaaaa".parse().unwrap();
        let one = vault.seal(&app, "KEY", "value", &SystemRandom).unwrap();
        assert_ne!(one, vault.seal(&app, "KEY", "value", &SystemRandom).unwrap());
    }
}
