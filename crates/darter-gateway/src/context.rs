//! What is known about a request before anybody looks at its app.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use darter_core::Millis;
use http::HeaderValue;

/// The other end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub address: IpAddr,
    /// The address as headers want it.
    pub text: Arc<str>,
    pub tls: bool,
}

impl Peer {
    pub fn new(address: IpAddr, tls: bool) -> Self {
        Self { address, text: address.to_string().into(), tls }
    }
}

/// Who asks, how, and since when.
#[derive(Debug)]
pub(crate) struct Context {
    /// Sane by construction: printable ASCII.
    pub request_id: HeaderValue,
    pub client: IpAddr,
    pub client_text: Arc<str>,
    /// The trusted proxy that the request came through.
    pub proxy: Option<Arc<str>>,
    pub https: bool,
    /// Lower case, no port.
    pub host: String,
    /// As the client wrote it, with a port.
    pub authority: HeaderValue,
    pub began: Instant,
    pub time: Millis,
    pub wants: Wants,
}

impl Context {
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }
}

/// How an answer of our own should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wants {
    pub html: bool,
    pub chinese: bool,
}
