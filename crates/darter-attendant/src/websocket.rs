//! The upgrade to a WebSocket, with buffers that suit a small process.

use std::future::Future;
use std::time::Duration;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::answer::{self, Answer};
use crate::fault::Fault;

/// After this long without a word a ping finds out whether the peer is still there.
pub(crate) const QUIET: Duration = Duration::from_secs(20);

pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers 101 and runs `speak` on the socket. `largest`: of a message.
pub(crate) fn upgrade<F>(
    mut request: Request<Incoming>,
    largest: usize,
    speak: impl FnOnce(Socket) -> F + Send + 'static,
) -> Answer
where
    F: Future<Output = ()> + Send,
{
    let asks = |name, wanted: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (true, true, Some(accept)) = (asks(CONNECTION, "upgrade"), asks(UPGRADE, "websocket"), key) else {
        return Err(Fault::invalid("this is a WebSocket: ask for an upgrade"));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A peer that left before the upgrade has nobody to be told.
        if let Ok(upgraded) = upgrade.await {
            let config = WebSocketConfig::default()
                .read_buffer_size(16 << 10)
                .write_buffer_size(0)
                .max_message_size(Some(largest))
                .max_frame_size(Some(largest));
            speak(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await).await;
        }
    });
    let accept = HeaderValue::from_str(&accept).map_err(|_| Fault::invalid("the key of the WebSocket is none"))?;
    let mut response = Response::new(answer::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}
