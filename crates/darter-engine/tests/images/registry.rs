//! A registry: the pulling half of the distribution API over HTTP, with tokens, and with faults that a test asks for.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use super::{INDEX, Made, OCI};

/// What the registry behind TLS shows.
pub const CERTIFICATE: &[u8] = include_bytes!("registry-cert.pem");
const TOKEN: &str = "a-token-of-the-test";

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Status(u16),
    /// The connection ends in the middle.
    Cut,
    /// A byte is another one.
    Changed,
    /// It goes on, without saying how long, until nobody listens any more.
    Endless,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<String, Vec<u8>>,
    /// Of a repository whose name begins with `private`.
    account: (String, String),
    /// A part of the path, how often, what.
    faults: Mutex<Vec<(String, usize, Fault)>>,
    address: String,
    /// Nobody is asked who they are.
    open: bool,
}

/// A registry on this machine.
pub struct Registry {
    state: Arc<State>,
}

impl Registry {
    /// Answers on a listener that was made before the test's recipes named it.
    pub fn serve_on(listener: std::net::TcpListener, images: &[&Made], account: (&str, &str)) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let state = Arc::new(State {
            blobs: images.iter().flat_map(|image| image.blobs.clone()).collect(),
            account: (account.0.into(), account.1.into()),
            faults: Mutex::default(),
            address: listener.local_addr().unwrap().to_string(),
            open: false,
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { state }
    }

    /// The same behind TLS, with a certificate for `localhost` that only who is told of it trusts.
    pub fn serve_with_tls(listener: std::net::TcpListener, images: &[&Made]) {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let blobs = images.iter().flat_map(|image| image.blobs.clone()).collect();
        let state = Arc::new(State { blobs, open: true, ..State::default() });
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls()));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
                tokio::spawn(async move {
                    // Whoever does not trust us ends it here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, state).await;
                    }
                });
            }
        });
    }

    /// Nothing goes wrong any more.
    pub fn forgive(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// The next `times` requests whose path holds `part` go wrong.
    pub fn fail(&self, part: &str, times: usize, fault: Fault) {
        self.state.faults.lock().unwrap().push((part.into(), times, fault));
    }
}

fn tls() -> rustls::ServerConfig {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("registry-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(chain, key).unwrap()
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let service = hyper::service::service_fn(move |request| {
        let answer = answer(&state, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A cut connection is an error here, too.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Answer = Response<BoxBody<Bytes, io::Error>>;

fn said(status: u16, text: &str) -> Answer {
    let body = Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).boxed();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn answer(state: &State, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fault = {
        let mut faults = state.faults.lock().unwrap();
        let found = faults.iter_mut().find(|(part, left, _)| path.contains(part.as_str()) && *left > 0);
        found.map(|(_, left, fault)| {
            *left -= 1;
            *fault
        })
    };
    let account = BASE64_STANDARD.encode(format!("{}:{}", state.account.0, state.account.1));
    match path {
        "/v2/" if state.open => said(200, "{}"),
        "/v2/" => challenge(state),
        "/token" if request.uri().query().is_some_and(|query| query.contains("private")) => {
            match header("authorization") == format!("Basic {account}") {
                true => said(200, &format!("{{\"token\": \"{TOKEN}\"}}")),
                false => said(401, "{\"details\": \"wrong\"}"),
            }
        }
        "/token" => said(200, "{\"token\": \"for-everybody\"}"),
        _ if path.contains("/private/") && header("authorization") != format!("Bearer {TOKEN}") => challenge(state),
        _ => content(state, path, fault),
    }
}

fn challenge(state: &State) -> Answer {
    let mut answer = said(401, "{\"errors\": [{\"code\": \"UNAUTHORIZED\", \"message\": \"who are you?\"}]}");
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", state.address);
    answer.headers_mut().insert("www-authenticate", realm.parse().unwrap());
    answer
}

fn content(state: &State, path: &str, fault: Option<Fault>) -> Answer {
    if let Some(Fault::Status(status)) = fault {
        return said(status, "{\"errors\": [{\"code\": \"TOOMANYREQUESTS\", \"message\": \"slowly\"}]}");
    }
    if let Some(Fault::Endless) = fault {
        let blanks = Bytes::from(vec![b' '; 64 << 10]);
        return Response::new(BodyExt::boxed(StreamBody::new(stream::repeat_with(move || {
            Ok(Frame::data(blanks.clone()))
        }))));
    }
    let digest = path.rsplit('/').next().unwrap_or_default();
    let Some(found) = state.blobs.get(digest) else {
        return said(404, "{\"errors\": [{\"code\": \"MANIFEST_UNKNOWN\", \"message\": \"no such thing\"}]}");
    };
    let mut bytes = found.clone();
    let length = bytes.len();
    match fault {
        Some(Fault::Changed) => bytes[length / 2] ^= 1,
        Some(Fault::Cut) => bytes.truncate(length / 2),
        _ => {}
    }
    let cut = bytes.len() < length;
    let end = async move {
        // So that what came before goes out first.
        tokio::task::yield_now().await;
        if cut { Err(io::Error::other("cut")) } else { Ok(Frame::data(Bytes::new())) }
    };
    let frames = stream::iter([Ok(Frame::data(Bytes::from(bytes)))]).chain(stream::once(end));
    let mut answer = Response::new(BodyExt::boxed(StreamBody::new(frames)));
    let kind = if found.starts_with(b"{\"manifests\"") { INDEX } else { OCI };
    for (name, value) in [("content-length", length.to_string()), ("content-type", kind.to_owned())] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}
