//! Certificates of a listener, exchangeable while it runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::ConfigError;

/// A certificate chain and its key. Clones share it: `replace` on one is seen by all.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Reads PEM: the chain (leaf first) and the private key (PKCS#8, PKCS#1 or SEC1).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(server_config(chain, key)?))))
    }

    /// New connections use the new certificate; open ones keep theirs. On an error nothing changes.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), ConfigError> {
        self.0.store(Arc::new(server_config(chain, key)?));
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

fn server_config(chain: &[u8], key: &[u8]) -> Result<ServerConfig, ConfigError> {
    let wrong = |key: &'static str, what: String| ConfigError { key, message: what };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong("tls_certificate", format!("The certificate file is not PEM: {error:?}.")))?;
    if chain.is_empty() {
        return Err(wrong(
            "tls_certificate",
            "The certificate file holds no certificate; give the chain as PEM.".into(),
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| wrong("tls_key", format!("The key file holds no readable PEM key: {error:?}.")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls_certificate", error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong("tls_key", format!("Certificate and key do not work together: {error}.")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
