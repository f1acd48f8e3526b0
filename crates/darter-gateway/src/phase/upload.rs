//! The body of a request on its way to the runtime: never held as a whole, never more than the app's limit.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use darter_wire::{RequestSink, reset};
use http::Request;
use http::header::EXPECT;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::admit;
use super::deadline::Deadlines;
use super::{LINGER, LINGER_BYTES};
use crate::page::Problem;
use crate::server::Inner;

/// Bodies up to this travel with their head in one go, when they are here at once.
const SMALL: u64 = 64 << 10;
/// How long a small body may take before it is streamed after all.
const SMALL_WAIT: Duration = Duration::from_millis(5);

/// What is to be sent after the head.
pub(crate) enum Upload {
    Whole(Bytes),
    Stream(Stream),
    /// Raw bytes, after the upgrade.
    Tunnel,
}

/// A body that is still coming.
pub(crate) struct Stream {
    /// Taken already.
    begun: Bytes,
    incoming: Incoming,
    limit: u64,
}

/// Why a body did not get through.
pub(crate) enum Broken {
    TooLarge,
    Client,
    /// The runtime wants no more of it.
    Runtime,
}

/// Takes a small body whole; anything else will be streamed.
pub(crate) async fn begin(mut incoming: Incoming, length: Option<u64>, limit: u64) -> Result<Upload, Problem> {
    if incoming.is_end_stream() {
        return Ok(Upload::Whole(Bytes::new()));
    }
    let mut begun = BytesMut::new();
    let small = length.filter(|length| *length <= SMALL);
    if small.is_some() {
        let taken = tokio::time::timeout(SMALL_WAIT, take_all(&mut incoming, &mut begun)).await;
        match taken {
            Ok(Ok(())) => return Ok(Upload::Whole(begun.freeze())),
            Ok(Err(_)) => return Err(client_gone()),
            Err(_) => {}
        }
    }
    Ok(Upload::Stream(Stream { begun: begun.freeze(), incoming, limit }))
}

async fn take_all(incoming: &mut Incoming, into: &mut BytesMut) -> Result<(), hyper::Error> {
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame?.into_data() {
            into.extend_from_slice(&data);
        }
    }
    Ok(())
}

/// Nobody will read this; the record and the log will.
pub(crate) fn client_gone() -> Problem {
    Problem::new(400, "request.incomplete", "The connection ended before the whole body had arrived. Send it again.")
}

impl Stream {
    /// Moves the body into the sink as fast as the runtime takes it.
    pub async fn pump(
        &mut self,
        mut sink: RequestSink,
        deadlines: &Deadlines,
        counter: &AtomicU64,
    ) -> Result<(), Broken> {
        let begun = std::mem::take(&mut self.begun);
        let mut next = Some(begun).filter(|chunk| !chunk.is_empty());
        loop {
            if let Some(chunk) = next.take() {
                let length = chunk.len() as u64;
                let sent = counter.fetch_add(length, Ordering::Relaxed) + length;
                if sent > self.limit {
                    sink.reset(reset::CANCELLED);
                    return Err(Broken::TooLarge);
                }
                deadlines.touch();
                sink.send(chunk).await.map_err(|_| Broken::Runtime)?;
                deadlines.touch();
            }
            match self.frame(&mut sink).await {
                Next::Data(chunk) => next = Some(chunk),
                Next::Nothing => {}
                Next::End => {
                    sink.finish();
                    return Ok(());
                }
                Next::Client => return Err(Broken::Client),
                Next::Runtime => return Err(Broken::Runtime),
            }
        }
    }

    /// The next frame of the client, or the news that the runtime wants no more.
    async fn frame(&mut self, sink: &mut RequestSink) -> Next {
        std::future::poll_fn(|cx| {
            if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
                return Poll::Ready(match frame {
                    None => Next::End,
                    Some(Ok(frame)) => frame.into_data().map_or(Next::Nothing, Next::Data),
                    Some(Err(_)) => Next::Client,
                });
            }
            match sink.poll_capacity(cx) {
                Poll::Ready(Err(_)) => Poll::Ready(Next::Runtime),
                Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Reads what the client still sends and throws it away, for a while: a connection that is closed on unread bytes
    /// may take the answer with it.
    pub fn linger(self, inner: &Inner) {
        discard(inner, self.incoming);
    }
}

enum Next {
    Data(Bytes),
    Nothing,
    End,
    Client,
    Runtime,
}

/// The same for a request that is refused before its body is looked at.
pub(crate) fn linger(inner: &Arc<Inner>, request: Request<Incoming>) {
    // Who asked first has sent nothing yet.
    if !request.headers().contains_key(EXPECT) {
        discard(inner, request.into_body());
    }
}

fn discard(inner: &Inner, mut incoming: Incoming) {
    if incoming.is_end_stream() {
        return;
    }
    let stopped = inner.stopped.clone();
    inner.tasks.spawn(async move {
        let reading = async {
            let mut left = LINGER_BYTES;
            while let Some(Ok(frame)) = incoming.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = tokio::time::sleep(LINGER) => {}
            () = stopped.cancelled() => {}
        }
    });
}

impl Broken {
    /// What the client is told, if the answer has not begun.
    pub fn problem(&self, limit: u64) -> Option<Problem> {
        match self {
            Self::TooLarge => Some(admit::too_large(limit)),
            Self::Client => Some(client_gone()),
            // The answer itself says what happened.
            Self::Runtime => None,
        }
    }
}
