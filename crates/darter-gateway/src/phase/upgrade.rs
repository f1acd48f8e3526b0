//! A client that wants a WebSocket: HTTP/1.1's `Upgrade` and HTTP/2's extended CONNECT (RFC 8441).

use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;

use crate::reply::ReplyBody;

/// A client that wants a WebSocket.
pub(crate) struct Upgrade {
    ready: OnUpgrade,
    /// HTTP/2 answers 200 and knows no handshake key.
    h2: bool,
}

/// Does the request ask for a WebSocket? An HTTP/2 request is given the headers that functions' libraries look for.
pub(crate) fn wanted(request: &mut Request<hyper::body::Incoming>) -> Option<Upgrade> {
    let h2 = request.version() == Version::HTTP_2;
    let asks = if h2 {
        let protocol = request.extensions().get::<hyper::ext::Protocol>();
        request.method() == Method::CONNECT && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
    } else {
        let headers = request.headers();
        let lists = |name, wanted: &str| {
            let values = headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
            values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(wanted))
        };
        request.method() == Method::GET && lists(CONNECTION, "upgrade") && lists(UPGRADE, "websocket")
    };
    if !asks {
        return None;
    }
    let ready = request.extensions_mut().remove::<OnUpgrade>()?;
    if h2 {
        let headers = request.headers_mut();
        // The key only proves that a server speaks WebSocket at all; over HTTP/2 nobody checks it.
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("ZGFydGVyLWgyLXR1bm5lbA=="));
        headers.entry(SEC_WEBSOCKET_VERSION).or_insert(HeaderValue::from_static("13"));
    }
    Some(Upgrade { ready, h2 })
}

impl Upgrade {
    /// The answer that accepts it, with these headers, and the client's end of the connection.
    pub fn accept(self, mut headers: HeaderMap) -> (Response<ReplyBody>, OnUpgrade) {
        headers.remove(CONTENT_LENGTH);
        let status = if self.h2 {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
            StatusCode::OK
        } else {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            StatusCode::SWITCHING_PROTOCOLS
        };
        let mut answer = Response::new(ReplyBody::whole(""));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        (answer, self.ready)
    }
}
