//! One request and its answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use crate::WireError;

/// What the runtime learns about a request before its body. Borrowed: it is written into the output at once.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    pub method: &'a str,
    /// Path and query as received.
    pub target: &'a str,
    pub request_id: &'a str,
    pub client_ip: &'a str,
    /// 0: none.
    pub deadline_ms: u64,
    /// A version's number, `draft:<id>`, or empty.
    pub pin: &'a str,
    pub headers: &'a HeaderMap,
}

/// How the body of a request is handed over.
#[derive(Debug, Clone)]
pub enum Begin {
    /// The whole body, possibly empty: REQUEST (+ DATA) + END in one go. At most [`crate::WINDOW`] bytes.
    Whole(Bytes),
    /// The body follows through the sink.
    Streaming,
    /// An upgrade is asked for; the raw bytes follow through the sink.
    Upgrade,
}

/// The way for the rest of a request's body. Dropping it before [`RequestSink::finish`] cancels the request.
#[derive(Debug)]
pub struct RequestSink;

impl RequestSink {
    /// Ready when some bytes may be sent now: how many at most.
    pub fn poll_capacity(&mut self, _cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        unimplemented!()
    }
    /// Sends the whole chunk, waiting for the window as often as needed.
    pub async fn send(&mut self, _chunk: Bytes) -> Result<(), WireError> {
        unimplemented!()
    }
    /// No more bytes from this side.
    pub fn finish(self) {
        unimplemented!()
    }
    /// Ends the stream with a code of [`crate::reset`].
    pub fn reset(self, _code: u32) {
        unimplemented!()
    }
}

/// The answer that is to come. Dropping it cancels the request.
#[derive(Debug)]
pub struct Answer;

impl Future for Answer {
    type Output = Result<Response, WireError>;
    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        unimplemented!()
    }
}

/// An answer's head and the way to its body.
#[derive(Debug)]
pub struct Response {
    pub status: http::StatusCode,
    /// The function that ran; empty when none.
    pub function: String,
    /// 0: a draft, or no function ran.
    pub version: u32,
    pub headers: HeaderMap,
    /// The stream is now a raw tunnel (status 101).
    pub upgraded: bool,
    pub body: ResponseBody,
}

/// An answer's body. Dropping it before its end cancels the request.
#[derive(Debug)]
pub struct ResponseBody;

impl ResponseBody {
    /// The next bytes; `None` at the end. Taking them gives the runtime its credit back.
    pub fn poll_chunk(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        unimplemented!()
    }
    /// The next bytes; `None` at the end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, WireError>> {
        unimplemented!()
    }
    /// True when everything has been received and taken.
    pub fn is_end(&self) -> bool {
        unimplemented!()
    }
    /// Bytes of the whole body when all of it is already here.
    pub fn remaining_if_complete(&self) -> Option<u64> {
        unimplemented!()
    }
    /// The whole body, unless it is longer than `limit` (`None`).
    pub async fn collect(self, _limit: usize) -> Result<Option<Bytes>, WireError> {
        unimplemented!()
    }
}

/// Both directions of an upgraded stream, as one `AsyncRead + AsyncWrite`.
#[derive(Debug)]
pub struct Tunnel {
    pub sink: RequestSink,
    pub body: ResponseBody,
}
