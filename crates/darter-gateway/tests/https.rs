//! HTTPS: the same door with a certificate, which may be exchanged while it is open.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;

use darter_gateway::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use support::{HOST, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CHAIN: &[u8] = include_bytes!("support/tls-cert.pem");
const KEY: &[u8] = include_bytes!("support/tls-key.pem");

fn connector(alpn: &[&str]) -> tokio_rustls::TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CHAIN).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn https_serves_with_the_protocol_that_the_client_chooses() {
    let tls = Tls::from_pem(CHAIN, KEY).unwrap();
    let house = House::secure(tls.clone(), |request, answer| async move {
        let proto = request.header("x-forwarded-proto").unwrap_or_default().to_owned();
        answer.respond(200, &[], proto);
    })
    .await;
    let name = ServerName::try_from(HOST).unwrap();
    for (alpn, chosen) in [(&["http/1.1"][..], Some("http/1.1")), (&["h2", "http/1.1"], Some("h2")), (&[], None)] {
        let stream = soon(connector(alpn).connect(name.clone(), house.connect().await)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen.map(str::as_bytes));
    }
    let mut stream = soon(connector(&["http/1.1"]).connect(name, house.connect().await)).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    // A close without a TLS goodbye is an error to some clients; what came before it counts here.
    let _ = soon(stream.read_to_string(&mut text)).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("https"), "{text}");
    tls.replace(CHAIN, KEY).unwrap();
}

#[test]
fn certificates_that_cannot_work_are_refused_with_the_key_to_fix() {
    for (chain, key, wrong) in [
        (&b""[..], KEY, "tls_certificate"),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", KEY, "tls_certificate"),
        (CHAIN, b"", "tls_key"),
        (CHAIN, CHAIN, "tls_key"),
    ] {
        assert_eq!(Tls::from_pem(chain, key).map(drop).map_err(|error| error.key), Err(wrong));
    }
}
