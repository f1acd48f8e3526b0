//! Answers: JSON, faults, and streams that are made piece by piece. Must never hold a whole file in memory.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use serde::Serialize;
use serde_json::json;

use crate::blocking::blocking;
use crate::fault::Fault;

/// A body. An error ends the connection, so that what was cut off does not look whole.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Answer = Result<Response<Body>, Fault>;

/// What makes a long answer, a piece at a time and in a thread of its own for each. Between two pieces nothing waits but
/// the producer's own memory, so that a slow reader holds no thread.
pub(crate) trait Produce: Send + 'static {
    /// The next piece, aimed at [`PIECE`] bytes; `None`: the answer is whole.
    fn next(&mut self) -> io::Result<Option<Bytes>>;
}

/// What a producer aims to make at a time.
pub(crate) const PIECE: usize = 256 << 10;

pub(crate) fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

fn never(error: Infallible) -> io::Error {
    match error {}
}

/// Runs a producer as its reader keeps up.
pub(crate) fn stream(producer: impl Produce) -> Body {
    let pieces = stream::try_unfold(Some(producer), |producer| async move {
        let Some(mut producer) = producer else { return Ok(None) };
        let made = blocking(move || producer.next().map(|piece| (piece, producer))).await?;
        let (Some(piece), producer) = made else { return Ok(None) };
        Ok(Some((Frame::data(piece), Some(producer))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// An answer of JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Answer {
    let text = serde_json::to_vec(value).map_err(|error| Fault::invalid(format!("cannot be written: {error}")))?;
    Ok(with_type(StatusCode::OK, "application/json", full(text)))
}

/// `{}`: it is done.
pub(crate) fn done() -> Answer {
    json(&json!({}))
}

pub(crate) fn with_type(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer that a fault is.
pub(crate) fn fault(fault: &Fault) -> Response<Body> {
    let body = json!({ "error": { "code": fault.code, "message": fault.message } });
    with_type(fault.status(), "application/json", full(body.to_string()))
}
