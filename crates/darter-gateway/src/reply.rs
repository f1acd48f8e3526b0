//! The body of every answer that leaves the gateway, and what is counted on the way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::patience::Pace;
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
    /// How long its client may take none of it; the operator's choice unless told.
    patience: Option<Duration>,
    /// Over HTTP/2: how it gets on.
    pace: Option<Arc<Pace>>,
}

/// What an HTTP/2 stream is given at once, so that a client that reads slowly is seen to read.
const PIECE: usize = 64 << 10;

pub(crate) enum Source {
    /// The whole of it, once.
    Whole(Bytes),
    App(Box<AppBody>),
    Console(Box<ConsoleBody>),
}

impl ReplyBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Whole(bytes.into()))
    }

    pub(crate) fn app(body: AppBody) -> Self {
        Self::of(Source::App(Box::new(body)))
    }

    pub(crate) fn console(body: ConsoleBody) -> Self {
        Self::of(Source::Console(Box::new(body)))
    }

    fn of(source: Source) -> Self {
        Self { source, meter: None, patience: None, pace: None }
    }

    pub(crate) fn patient(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    pub(crate) fn paced(mut self, pace: Option<Arc<Pace>>) -> Self {
        self.pace = pace;
        self
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
        if let Some(pace) = &this.pace {
            pace.asked();
        }
        let next = match &mut this.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => {
                let piece = if this.pace.is_some() { bytes.len().min(PIECE) } else { bytes.len() };
                Poll::Ready(Some(Ok(Frame::data(bytes.split_to(piece)))))
            }
            Source::App(body) => body.poll_data(cx).map(|next| next.map(|result| result.map(Frame::data))),
            Source::Console(body) => {
                Pin::new(&mut **body).poll_frame(cx).map(|next| next.map(|result| result.map_err(ReplyError::Console)))
            }
        };
        if let Poll::Ready(Some(Ok(frame))) = &next {
            if let Some(meter) = &mut this.meter {
                meter.sent(frame.data_ref().map_or(0, Bytes::len));
            }
            if let Some(pace) = &this.pace {
                pace.handed();
            }
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
