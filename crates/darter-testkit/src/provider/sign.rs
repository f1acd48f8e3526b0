//! Keys and ID tokens. The RSA key is in the repository and known to everybody: making one takes seconds, and it signs
//! nothing but the words of a provider that exists for the length of a test.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use ring::{hmac, signature};
use serde_json::{Value, json};

use super::{Lie, Signing};

/// What signs, and what signs when it lies.
pub(super) struct Keys {
    rsa: RsaKeyPair,
    ecdsa: EcdsaKeyPair,
    wrong: EcdsaKeyPair,
    random: SystemRandom,
}

fn ecdsa(random: &SystemRandom) -> EcdsaKeyPair {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), random).unwrap()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64.encode(bytes)
}

impl Keys {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::from_der(include_bytes!("test-key.der")).unwrap();
        Self { rsa, ecdsa: ecdsa(&random), wrong: ecdsa(&random), random }
    }

    /// The public ones, as a provider shows them.
    pub fn shown(&self) -> Value {
        let rsa: RsaPublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        // 0x04, then 32 bytes each.
        let point = self.ecdsa.public_key().as_ref();
        json!({ "keys": [
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": base64(rsa.n), "e": base64(rsa.e) },
            { "kty": "EC", "use": "sig", "alg": "ES256", "kid": "ec", "crv": "P-256",
              "x": base64(&point[1..33]), "y": base64(&point[33..]) },
        ] })
    }

    /// A JWT of these claims.
    pub fn token(&self, claims: &Value, (signing, lie): (Signing, Option<Lie>)) -> String {
        let (algorithm, key) = match (lie, signing) {
            (Some(Lie::Unsigned), _) => ("none", "rsa"),
            (Some(Lie::SignedWithThePublicKey), _) => ("HS256", "rsa"),
            (Some(Lie::WrongSignature), _) | (_, Signing::Es256) => ("ES256", "ec"),
            (_, Signing::Rs256) => ("RS256", "rsa"),
        };
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": key });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = match algorithm {
            "none" => Vec::new(),
            "HS256" => {
                let public = self.rsa.public_key().as_ref();
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), signed.as_bytes()).as_ref().to_vec()
            }
            "ES256" => {
                let key = if lie == Some(Lie::WrongSignature) { &self.wrong } else { &self.ecdsa };
                let signature: signature::Signature = key.sign(&self.random, signed.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            _ => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &self.random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", base64(signature))
    }
}
