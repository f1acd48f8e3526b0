//! One stream: what its peer may still send, what was received and not yet taken, and who waits. No I/O.
//!
//! Says what is a violation of the protocol by one stream's own rules; what concerns the connection is `state`'s.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};

use crate::asked::Note;
use crate::codec::{self, ResponseHead};
use crate::{Violation, WINDOW, WireError};

/// Chunks that wait for the consumer before they are merged into one.
const MERGE_ABOVE: usize = 256;

/// Both directions of one exchange.
#[derive(Debug)]
pub struct Stream {
    /// Where its REQUEST begins in the whole output.
    pub begins_at: u64,
    pub upgrade: bool,
    pub responded: bool,
    pub head: Option<Box<(ResponseHead, bool)>>,
    pub received: VecDeque<Bytes>,
    pub received_end: bool,
    /// Bytes that the runtime may still send; RESPONSE bodies may take it below zero.
    pub receive_window: i64,
    /// Taken by the consumer, not yet given back.
    pub credit: usize,
    pub send_window: usize,
    pub sent_end: bool,
    /// In the connection's list of those that wait for room.
    pub congested: bool,
    pub failure: Option<WireError>,
    pub receiver: Option<Waker>,
    pub sender: Option<Waker>,
    pub receiver_alive: bool,
    pub sink_alive: bool,
    pub note: Note,
}

impl Stream {
    pub fn wake(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.receiver.take());
        wakers.extend(self.sender.take());
    }

    pub fn fail(&mut self, failure: WireError, wakers: &mut Vec<Waker>) {
        if self.failure.is_none() {
            self.failure = Some(failure);
        }
        self.wake(wakers);
    }

    pub fn opened(begins_at: u64, upgrade: bool, sent_end: bool, note: Note) -> Self {
        Self {
            begins_at,
            upgrade,
            responded: false,
            head: None,
            received: VecDeque::new(),
            received_end: false,
            receive_window: WINDOW as i64,
            credit: 0,
            send_window: WINDOW,
            sent_end,
            congested: false,
            failure: None,
            receiver: None,
            sender: None,
            receiver_alive: true,
            sink_alive: false,
            note,
        }
    }

    pub fn widen(&mut self, credit: u32, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        let widened = self.send_window.saturating_add(credit as usize);
        // A whole body may have been queued with the request, so a stream that has sent everything gets credit too.
        if widened > WINDOW && !self.sent_end {
            return Err(Violation::WindowOverflow);
        }
        self.send_window = widened.min(WINDOW);
        wakers.extend(self.sender.take());
        Ok(())
    }

    pub fn respond(&mut self, frame: codec::ResponseFrame, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        if self.responded {
            return Err(Violation::SecondResponse);
        }
        if frame.upgraded && !self.upgrade {
            return Err(Violation::UnknownFlags);
        }
        self.responded = true;
        self.received_end = frame.end;
        self.receive_window -= i64::try_from(frame.body.len()).unwrap_or(i64::MAX);
        if !frame.body.is_empty() {
            self.received.push_back(frame.body);
        }
        self.head = Some(Box::new((frame.head, frame.upgraded)));
        wakers.extend(self.receiver.take());
        Ok(())
    }

    pub fn take_data(&mut self, payload: Bytes, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        if !self.responded || self.received_end {
            return Err(Violation::OutOfOrder);
        }
        self.receive_window -= i64::try_from(payload.len()).unwrap_or(i64::MAX);
        if self.receive_window < 0 {
            return Err(Violation::WindowExceeded);
        }
        if self.received.len() >= MERGE_ABOVE {
            self.merge_received();
        }
        self.received.push_back(payload);
        wakers.extend(self.receiver.take());
        Ok(())
    }

    /// Frames of one byte each would cost a hundred times their size: many small chunks become one.
    fn merge_received(&mut self) {
        let mut whole = BytesMut::with_capacity(self.received.iter().map(Bytes::len).sum());
        for chunk in self.received.drain(..) {
            whole.extend_from_slice(&chunk);
        }
        self.received.push_back(whole.freeze());
    }

    pub fn take_end(&mut self, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        if !self.responded || self.received_end {
            return Err(Violation::OutOfOrder);
        }
        self.received_end = true;
        wakers.extend(self.receiver.take());
        Ok(())
    }
}

/// Keeps the waker of whoever asked last.
pub fn remember(place: &mut Option<Waker>, cx: &mut Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        Some(_) | None => *place = Some(cx.waker().clone()),
    }
}
