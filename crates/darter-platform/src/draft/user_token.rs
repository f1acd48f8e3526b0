//! Tokens of an app's own users: HS256 with the app's SERVER_SECRET, as `cloud.getToken` makes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Signs a payload so that a function sees it as `ctx.user`.
pub fn sign(payload: &serde_json::Value, secret: &str) -> String {
    let head = BASE64.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let body = BASE64.encode(payload.to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{head}.{body}").as_bytes());
    format!("{head}.{body}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_other_programs_make() {
        // Made with Python's hmac and hashlib.
        let payload: serde_json::Value = serde_json::from_str(r#"{"a":1}"#).unwrap();
        let token = sign(&payload, "secret");
        let mut parts = token.split('.');
        assert_eq!(parts.next(), Some("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"));
        assert_eq!(parts.next(), Some("eyJhIjoxfQ"));
        assert_eq!(parts.next(), Some("57TF7smP9XDhIexBqPC-F1toZReYZLWb_YRU5tv0sxM"));
    }
}
