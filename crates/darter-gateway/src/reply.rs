//! The body of every answer that leaves the gateway, and what is counted on the way.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::phase::{AppBody, Meter};
use crate::server::ConsoleBody;

/// Ends an answer half-way: the client sees a broken connection or a reset stream, never a body that looks whole.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    #[error("the answer was cut: {0}")]
    Cut(String),
    #[error("the console's answer failed: {0}")]
    Console(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A body, and the meter that writes the record when the body is done or dropped.
pub struct ReplyBody {
    source: Source,
    meter: Option<Box<Meter>>,
}

pub(crate) enum Source {
    /// The whole of it, once.
    Whole(Bytes),
    App(Box<AppBody>),
    Console(Box<ConsoleBody>),
}

impl ReplyBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Whole(bytes.into()), meter: None }
    }

    pub(crate) fn app(body: AppBody) -> Self {
        Self { source: Source::App(Box::new(body)), meter: None }
    }

    pub(crate) fn console(body: ConsoleBody) -> Self {
        Self { source: Source::Console(Box::new(body)), meter: None }
    }

    pub(crate) fn metered(mut self, meter: Box<Meter>) -> Self {
        self.meter = Some(meter);
        self
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        let this = &mut *self;
        let next = match &mut this.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::App(body) => body.poll_data(cx).map(|next| next.map(|result| result.map(Frame::data))),
            Source::Console(body) => {
                Pin::new(&mut **body).poll_frame(cx).map(|next| next.map(|result| result.map_err(ReplyError::Console)))
            }
        };
        if let (Poll::Ready(Some(Ok(frame))), Some(meter)) = (&next, &mut this.meter) {
            meter.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::App(body) => body.is_end(),
            Source::Console(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::App(body) => body.size_hint(),
            Source::Console(body) => body.size_hint(),
        }
    }
}
