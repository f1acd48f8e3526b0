//! One client connection: TLS, the choice between HTTP/1.1 and HTTP/2, the limits of both, and its end.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::context::Peer;
use crate::patience::{Pace, Patience, Patient, Streams};
use crate::phase;
use crate::reply::ReplyBody;
use crate::server::Inner;
use crate::tls::Tls;

/// The longest head of a request, and its number of headers (hyper's own bound for HTTP/1.1).
pub(crate) const MAX_HEAD: usize = 64 << 10;
pub(crate) const MAX_HEADERS: usize = 100;
/// Requests at once on an HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Streams that a client may open and reset before it is sent away (CVE-2023-44487).
const MAX_RESETS: usize = 64;
/// What an HTTP/2 client may send ahead, per stream and connection, and what waits for it.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const SEND_BUFFER: usize = 256 << 10;
/// How long an HTTP/2 connection may be silent before it is pinged, and how long the answer may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WAIT: Duration = Duration::from_secs(20);
/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Serves the connection until it ends.
pub(crate) async fn serve(inner: Arc<Inner>, stream: TcpStream, address: SocketAddr, tls: Option<Tls>) {
    // Small answers must not wait for more; a socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    let hurry = inner.config.header_timeout;
    let patience = Patience::new(inner.config.stall_timeout);
    let peer = |tls: bool| Arc::new(Peer::new(plain(address.ip()), tls));
    match tls {
        None => {
            let Ok(Some(h2)) = tokio::time::timeout(hurry, begins_http2(&stream)).await else { return };
            speak(inner, Patient::new(stream, patience.clone()), patience, peer(false), h2).await;
        }
        Some(tls) => {
            let acceptor = TlsAcceptor::from(tls.config());
            let stream = Patient::new(stream, patience.clone());
            let Ok(Ok(stream)) = tokio::time::timeout(hurry, acceptor.accept(stream)).await else { return };
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            speak(inner, stream, patience, peer(true), h2).await;
        }
    }
}

/// IPv4 clients of an IPv6 socket are IPv4 clients.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Looks at the first bytes without taking them. `None`: the client is gone.
async fn begins_http2(stream: &TcpStream) -> Option<bool> {
    let mut first = [0u8; PREFACE.len()];
    let mut seen = 0;
    loop {
        let length = stream.peek(&mut first).await.ok()?;
        if length == 0 || first[..length] != PREFACE[..length] {
            return if length == 0 { None } else { Some(false) };
        }
        if length == PREFACE.len() {
            return Some(true);
        }
        if length == seen {
            // Peeking again would answer at once with the same bytes.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        seen = length;
    }
}

async fn speak<S>(inner: Arc<Inner>, stream: S, patience: Patience, peer: Arc<Peer>, h2: bool)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let ended =
        if h2 { speak2(&inner, stream, patience, peer).await } else { speak1(&inner, stream, patience, peer).await };
    // How clients end their connections is their business; it is of interest only when somebody looks for it.
    if let Err(error) = ended {
        tracing::debug!(%error, "a client connection ended early");
    }
}

async fn speak1<S>(inner: &Arc<Inner>, stream: S, patience: Patience, peer: Arc<Peer>) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (inner, peer, patience) = (Arc::clone(inner), Arc::clone(&peer), patience.clone());
        async move {
            let answer = phase::serve(Arc::clone(&inner), &peer, request).await;
            patience.set(answer.body().patience().unwrap_or(inner.config.stall_timeout));
            Ok::<Response<ReplyBody>, Infallible>(answer)
        }
    });
    let mut connection = pin!(http1_settings(inner).serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = inner.stopping.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => ended,
        () = inner.stopped.cancelled() => Ok(()),
    }
}

async fn speak2<S>(inner: &Arc<Inner>, stream: S, patience: Patience, peer: Arc<Peer>) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (inner, peer, patience) = (Arc::clone(inner), Arc::clone(&peer), patience.clone());
        async move {
            let answer = phase::serve(Arc::clone(&inner), &peer, request).await;
            let most = answer.body().patience().unwrap_or(inner.config.stall_timeout);
            patience.raise(most);
            let pace = Pace::current().inspect(|pace| pace.wait_at_most(most));
            Ok::<Response<ReplyBody>, Infallible>(answer.map(|body| body.paced(pace)))
        }
    });
    let streams = Streams::default();
    let mut connection = pin!(http2_settings(streams.clone()).serve_connection(TokioIo::new(stream), service));
    let goodbye = tokio::select! {
        ended = connection.as_mut() => return ended,
        () = inner.stopping.cancelled() => None,
        () = streams.quiet(inner.config.header_timeout) => Some(patience.get()),
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => ended,
        () = inner.stopped.cancelled() => Ok(()),
        // What a quiet connection still holds is the end of an answer that its client does not take.
        () = tokio::time::sleep(goodbye.unwrap_or_default()), if goodbye.is_some() => Ok(()),
    }
}

fn http1_settings(inner: &Inner) -> http1::Builder {
    let mut settings = http1::Builder::new();
    settings
        .timer(TokioTimer::new())
        .header_read_timeout(inner.config.header_timeout)
        .max_header_size(MAX_HEAD)
        // `pipeline_flush` stays off: with it hyper buffers without bound for a client that does not read.
        .half_close(false);
    settings
}

fn http2_settings(streams: Streams) -> http2::Builder<Streams> {
    let mut settings = http2::Builder::new(streams);
    settings
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WAIT)
        .enable_connect_protocol();
    settings
}
