//! HTTPS: the same door with a certificate, which may be exchanged while it is open.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;

use darter_gateway::{Certificate, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use support::{HOST, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CHAIN: &[u8] = include_bytes!("support/tls-cert.pem");
const KEY: &[u8] = include_bytes!("support/tls-key.pem");
const CONSOLE: (&[u8], &[u8]) =
    (include_bytes!("support/tls-console-cert.pem"), include_bytes!("support/tls-console-key.pem"));
const SHOP: (&[u8], &[u8]) = (include_bytes!("support/tls-shop-cert.pem"), include_bytes!("support/tls-shop-key.pem"));

fn certificate((chain, key): (&[u8], &[u8])) -> Certificate {
    Certificate::from_pem(chain, key).unwrap()
}

fn connector(alpn: &[&str]) -> tokio_rustls::TlsConnector {
    let mut roots = RootCertStore::empty();
    for chain in [CHAIN, CONSOLE.0, SHOP.0] {
        roots.add(CertificateDer::from_pem_slice(chain).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn https_serves_with_the_protocol_that_the_client_chooses() {
    let tls = Tls::new(certificate((CHAIN, KEY)), vec![]).unwrap();
    let house = House::secure(tls, |request, answer| async move {
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
}

/// Which certificate a client is shown that asks for this name.
async fn shown(house: &House, name: &str) -> Result<Vec<u8>, std::io::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = soon(connector(&[]).connect(name, house.connect().await)).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

fn der(chain: &[u8]) -> Vec<u8> {
    CertificateDer::from_pem_slice(chain).unwrap().to_vec()
}

#[tokio::test]
async fn each_name_gets_its_own_certificate_and_every_other_the_default() {
    let tls = Tls::new(certificate(CONSOLE), vec![certificate((CHAIN, KEY)), certificate(SHOP)]).unwrap();
    let house = House::secure(tls.clone(), |_request, answer| async move { answer.respond(200, &[], "") }).await;
    for (name, chain) in [
        ("darter.localhost", CONSOLE.0),
        (HOST, CHAIN),
        ("other.darter-apps.localhost", CHAIN),
        ("shop.example.org", SHOP.0),
        ("WWW.Shop.Example.ORG", SHOP.0),
    ] {
        assert_eq!(shown(&house, name).await.unwrap(), der(chain), "{name}");
    }
    // A wildcard stands for one label, and the default is not for these: clients refuse it.
    for name in ["a.b.darter-apps.localhost", "darter-apps.localhost", "elsewhere.example.org", "127.0.0.1"] {
        assert!(shown(&house, name).await.is_err(), "{name}");
    }
    tls.replace(certificate((CHAIN, KEY)), vec![]);
    assert!(shown(&house, "shop.example.org").await.is_err(), "taken away while the door is open");
    assert_eq!(shown(&house, HOST).await.unwrap(), der(CHAIN));
}

#[test]
fn certificates_that_cannot_work_are_refused_with_the_key_to_fix() {
    for (chain, key, wrong) in [
        (&b""[..], KEY, "tls_certificate"),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", KEY, "tls_certificate"),
        (CHAIN, b"", "tls_key"),
        (CHAIN, CHAIN, "tls_key"),
        (CHAIN, SHOP.1, "tls_key"),
    ] {
        assert_eq!(Certificate::from_pem(chain, key).map(drop).map_err(|error| error.key), Err(wrong));
    }
}
