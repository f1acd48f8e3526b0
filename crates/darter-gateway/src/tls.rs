//! Certificates of a listener: one for each name, chosen by the name that the client asks for, exchangeable while it
//! runs. It must never answer for a name with another's certificate while there is one that fits.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::ConfigError;

/// A certificate chain with its key, and the names that it is for.
#[derive(Debug, Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Arc<[String]>,
}

impl Certificate {
    /// Reads PEM: the chain (leaf first) and the private key (PKCS#8, PKCS#1 or SEC1).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let wrong = |key: &'static str, message: String| ConfigError { key, message };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong("tls_certificate", format!("The certificate file is not PEM: {error:?}.")))?;
        let leaf = chain.first().ok_or_else(|| {
            wrong("tls_certificate", "The certificate file holds no certificate; give the chain as PEM.".into())
        })?;
        let names = names(leaf)
            .map_err(|error| wrong("tls_certificate", format!("The certificate file cannot be read: {error}.")))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| wrong("tls_key", format!("The key file holds no readable PEM key: {error:?}.")))?;
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
            .map_err(|error| wrong("tls_key", format!("Certificate and key do not work together: {error}.")))?;
        Ok(Self { key: Arc::new(key), names })
    }

    /// The names that it is for, in lower case; `*.example.org` stands for every name one label below.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn names(leaf: &CertificateDer<'_>) -> Result<Arc<[String]>, webpki::Error> {
    let leaf = webpki::EndEntityCert::try_from(leaf)?;
    Ok(leaf.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// The certificates of a listener. Clones share them: `replace` on one is seen by all.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    shelf: Arc<Shelf>,
}

impl Tls {
    /// Answers with the first certificate when a client names nobody, or a name that none is for. Where two are for one
    /// name the first wins.
    pub fn new(default: Certificate, others: Vec<Certificate>) -> Result<Self, ConfigError> {
        let shelf = Arc::new(Shelf(ArcSwap::from_pointee(Names::of(default, others))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError { key: "tls_certificate", message: error.to_string() })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shelf) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), shelf })
    }

    /// New connections use these certificates; open ones keep theirs.
    pub fn replace(&self, default: Certificate, others: Vec<Certificate>) {
        self.shelf.0.store(Arc::new(Names::of(default, others)));
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

#[derive(Debug)]
struct Shelf(ArcSwap<Names>);

#[derive(Debug)]
struct Names {
    default: Arc<CertifiedKey>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    below: HashMap<String, Arc<CertifiedKey>>,
}

impl Names {
    fn of(default: Certificate, others: Vec<Certificate>) -> Self {
        let mut found = Self { default: Arc::clone(&default.key), exact: HashMap::new(), below: HashMap::new() };
        for certificate in std::iter::once(default).chain(others) {
            for name in certificate.names.iter() {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut found.below, parent),
                    None => (&mut found.exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_insert_with(|| Arc::clone(&certificate.key));
            }
        }
        found
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let below = || name.split_once('.').and_then(|(_, parent)| self.below.get(parent));
        self.exact.get(name).or_else(below)
    }
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let names = self.0.load();
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let found = asked.and_then(|name| names.find(&name));
        Some(Arc::clone(found.unwrap_or(&names.default)))
    }
}
