//! The body of a request to the console: a client that sends none of it for long is not waited for. Apps' bodies have
//! their app's deadlines instead.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::patience::Alarm;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("nothing of the request's body arrived for {0} ms")]
    Stalled(u128),
    #[error(transparent)]
    Client(#[from] hyper::Error),
}

/// What a console's service reads requests from.
#[derive(Debug)]
pub struct Intake {
    incoming: Incoming,
    patience: Duration,
    alarm: Alarm,
}

impl Intake {
    pub(crate) fn new(incoming: Incoming, patience: Duration) -> Self {
        Self { incoming, patience, alarm: Alarm::default() }
    }
}

impl Body for Intake {
    type Data = Bytes;
    type Error = IntakeError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, IntakeError>>> {
        let this = &mut *self;
        if let Poll::Ready(next) = Pin::new(&mut this.incoming).poll_frame(cx) {
            this.alarm.rest();
            return Poll::Ready(next.map(|frame| frame.map_err(IntakeError::from)));
        }
        this.alarm.poll(cx, this.patience).map(|()| Some(Err(IntakeError::Stalled(this.patience.as_millis()))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
