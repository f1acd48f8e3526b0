//! One request and its answer: the handles that a caller holds. Each is a stream's number and the shared state.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::WireError;
use crate::connection::Shared;
use crate::state::Received;

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
    /// The whole body, possibly empty: REQUEST, DATA and END in one go. At most [`crate::WINDOW`] bytes.
    Whole(Bytes),
    /// The body follows through the sink.
    Streaming,
    /// An upgrade is asked for; the raw bytes follow through the sink.
    Upgrade,
}

/// A stream as its handles see it.
pub(crate) struct StreamHandle {
    pub shared: Arc<Shared>,
    pub number: u32,
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}", self.number)
    }
}

/// The way for the rest of a request's body. Dropping it before [`RequestSink::finish`] cancels the request.
#[derive(Debug)]
pub struct RequestSink(StreamHandle);

impl RequestSink {
    pub(crate) fn new(handle: StreamHandle) -> Self {
        Self(handle)
    }

    /// Ready when some bytes may be sent now: how many at most.
    pub fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        self.0.shared.with(|state, _| state.poll_capacity(self.0.number, cx))
    }

    /// Sends the chunk at once. It must fit into the capacity that was polled last.
    pub fn send_now(&mut self, chunk: Bytes) -> Result<(), WireError> {
        self.0.shared.with(|state, _| state.send(self.0.number, chunk))
    }

    /// Sends the whole chunk, waiting for the window as often as needed.
    pub async fn send(&mut self, mut chunk: Bytes) -> Result<(), WireError> {
        while chunk.has_remaining() {
            let capacity = poll_fn(|cx| self.poll_capacity(cx)).await?;
            self.send_now(chunk.split_to(chunk.len().min(capacity)))?;
        }
        Ok(())
    }

    /// No more bytes from this side.
    pub fn finish(self) {
        self.end();
    }

    /// Ends the stream in both directions with a code of [`crate::reset`].
    pub fn reset(self, code: u32) {
        self.0.shared.with(|state, wakers| state.reset(self.0.number, code, wakers));
    }

    fn end(&self) {
        self.0.shared.with(|state, _| state.finish(self.0.number));
    }
}

impl Drop for RequestSink {
    fn drop(&mut self) {
        self.0.shared.with(|state, wakers| state.drop_sink(self.0.number, wakers));
    }
}

/// The receiving side of a stream; dropping it early cancels the request.
#[derive(Debug)]
struct Receiver(StreamHandle);

impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.shared.with(|state, wakers| state.drop_receiver(self.0.number, wakers));
    }
}

/// The answer that is to come. Dropping it cancels the request.
#[derive(Debug)]
pub struct Answer(Option<Receiver>);

impl Answer {
    pub(crate) fn new(handle: StreamHandle) -> Self {
        Self(Some(Receiver(handle)))
    }
}

impl Future for Answer {
    type Output = Result<Response, WireError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(receiver) = &self.0 else {
            return Poll::Ready(Err(WireError::AlreadyTaken));
        };
        let number = receiver.0.number;
        let (head, whole) = ready!(receiver.0.shared.with(|state, _| {
            let head = ready!(state.poll_head(number, cx));
            // Small answers are here with their head: take the body now and be done with the stream.
            let whole = match state.is_complete(number) {
                Some(0) => Some(Bytes::new()),
                Some(1) => match state.poll_received(number, None) {
                    Poll::Ready(Ok(Received::Chunk(chunk))) => Some(chunk),
                    Poll::Ready(Ok(Received::End) | Err(_)) | Poll::Pending => None,
                },
                Some(_) | None => None,
            };
            Poll::Ready((head, whole))
        }));
        let receiver = self.0.take();
        let (head, upgraded) = head?;
        let body = match whole {
            Some(whole) => ResponseBody { ready: Some(whole).filter(|chunk| !chunk.is_empty()), receiver: None },
            None => ResponseBody { ready: None, receiver },
        };
        Poll::Ready(Ok(Response {
            status: head.status,
            function: head.function,
            version: head.version,
            headers: head.headers,
            upgraded,
            body,
        }))
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
pub struct ResponseBody {
    ready: Option<Bytes>,
    receiver: Option<Receiver>,
}

impl ResponseBody {
    /// The next bytes; `None` at the end. Taking them gives the runtime its credit back.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        if let Some(chunk) = self.ready.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let Some(receiver) = &self.receiver else { return Poll::Ready(None) };
        let number = receiver.0.number;
        match ready!(receiver.0.shared.with(|state, _| state.poll_received(number, Some(cx)))) {
            Ok(Received::Chunk(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Ok(Received::End) => {
                self.receiver = None;
                Poll::Ready(None)
            }
            Err(error) => {
                self.receiver = None;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    /// The next bytes; `None` at the end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, WireError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// True when everything has been received and taken.
    pub fn is_end(&self) -> bool {
        self.ready.is_none() && self.receiver.is_none()
    }

    /// The length of the whole body, when all of it came with the head.
    pub fn whole_length(&self) -> Option<u64> {
        match (&self.ready, &self.receiver) {
            (ready, None) => Some(ready.as_ref().map_or(0, |chunk| chunk.len() as u64)),
            (Some(_) | None, Some(_)) => None,
        }
    }

    /// The whole body, when all of it came with the head.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match &self.receiver {
            None => Some(self.ready.take().unwrap_or_default()),
            Some(_) => None,
        }
    }

    /// The whole body, unless it is longer than `limit` (`None`).
    pub async fn collect(mut self, limit: usize) -> Result<Option<Bytes>, WireError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await {
            let chunk = chunk?;
            if whole.len() + chunk.len() > limit {
                return Ok(None);
            }
            if whole.is_empty() && self.is_end() {
                return Ok(Some(chunk));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Some(whole.freeze()))
    }
}

/// Both directions of an upgraded stream, as one `AsyncRead + AsyncWrite`.
#[derive(Debug)]
pub struct Tunnel {
    sink: RequestSink,
    body: ResponseBody,
    unread: Bytes,
}

impl Tunnel {
    /// Joins the two directions of an upgraded stream.
    pub fn new(sink: RequestSink, body: ResponseBody) -> Self {
        Self { sink, body, unread: Bytes::new() }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            match ready!(self.body.poll_chunk(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(chunk)) => self.unread = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, error))),
            }
        }
        let length = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let broken = |error: WireError| io::Error::new(io::ErrorKind::BrokenPipe, error);
        let capacity = ready!(self.sink.poll_capacity(cx)).map_err(broken)?;
        let length = buf.len().min(capacity);
        self.sink.send_now(Bytes::copy_from_slice(&buf[..length])).map_err(broken)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink.end();
        Poll::Ready(Ok(()))
    }
}
