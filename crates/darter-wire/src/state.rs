//! The streams of one connection and what each frame does to them. No I/O: bytes in, bytes out, wakers to wake.
//!
//! ```text
//!  stream:   opened ──RESPONSE──► answering ──END──► received        (our receiving side)
//!               │                     │
//!               └───── RESET, close ──┴──────────► failed
//!            sending ──finish──► sent                                 (our sending side)
//! ```
//! An entry lives until both handles (receiver and sink) are dropped, so a number is never taken by two streams.
//! Memory is bounded: windows per stream, a cap on what is received and not yet taken, a cap on what waits to be written.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};

use crate::asked::{Asked, Note};
use crate::codec::{self, FLAG_END, FLAG_UPGRADE, HEADER, Header, Kind, ResponseHead};
use crate::exchange::{Begin, RequestHead};
use crate::output::Output;
use crate::stream::{Stream, remember};
use crate::{CloseReason, MAX_STREAMS, Violation, WINDOW, WireError, reset};

/// Bytes received and not yet taken, over all streams, above which the socket is not read any more.
const RECEIVED_LIMIT: usize = 64 << 20;
/// Bytes waiting to be written above which request bodies wait, and above which new requests are refused.
const BODY_PENDING_LIMIT: usize = 1 << 20;
const REQUEST_PENDING_LIMIT: usize = 16 << 20;
/// Credit is given back in steps of this.
const CREDIT_STEP: usize = WINDOW / 4;
/// What the runtime may still send for a stream that we have reset (it cannot know yet), and after a normal end.
const STRAY_AFTER_RESET: u64 = 3 << 20;
const STRAY_AFTER_END: u64 = 16 << 10;
const STRAY_LIMIT: u64 = 1 << 30;
/// Payloads up to this are copied, so that a small answer never keeps a large read buffer alive.
const COPY_UP_TO: usize = 16 << 10;
/// Requests that are named when their answers do not come.
const UNANSWERED: usize = 8;

/// Is the connection usable?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Open,
    Draining,
    Closed(CloseReason),
}

/// Stream numbers rise one by one: one multiplication spreads them well enough.
#[derive(Debug, Default)]
pub struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }
    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// What a receiver finds.
#[derive(Debug)]
pub enum Received {
    Chunk(Bytes),
    End,
}

/// Everything about one connection but its socket.
#[derive(Debug)]
pub struct State {
    pub phase: Phase,
    pub output: Output,
    /// The task that reads and writes, when it sleeps.
    pub driver: Option<Waker>,
    /// The driver stopped reading because too much is received and not taken.
    pub reading_paused: bool,
    /// The driver must run although there may be nothing to write.
    resume_driver: bool,
    /// No `Connection` is left: end when the last stream has ended.
    pub abandoned: bool,
    streams: HashMap<u32, Stream, BuildHasherDefault<NumberHasher>>,
    last: u32,
    /// The numbers have started again from 1.
    wrapped: bool,
    stray: u64,
    received_bytes: usize,
    congested: Vec<u32>,
    /// Unanswered when the connection ended.
    lost: Vec<Asked>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            phase: Phase::Open,
            output: Output::default(),
            driver: None,
            reading_paused: false,
            resume_driver: false,
            abandoned: false,
            streams: HashMap::default(),
            last: 0,
            wrapped: false,
            stray: 0,
            received_bytes: 0,
            congested: Vec::new(),
            lost: Vec::new(),
        }
    }
}

impl State {
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// The oldest requests without a complete answer; at the end of the connection, those that will never have one.
    pub fn unanswered(&self) -> Vec<Asked> {
        if matches!(self.phase, Phase::Closed(_)) {
            return self.lost.clone();
        }
        let open = self.streams.values().filter(|stream| !stream.received_end && stream.failure.is_none());
        let mut open: Vec<&Stream> = open.collect();
        open.sort_unstable_by_key(|stream| stream.begins_at);
        open.iter().take(UNANSWERED).map(|stream| stream.note.asked()).collect()
    }

    /// The driver, when it sleeps and has something to do.
    pub fn driver_to_wake(&mut self) -> Option<Waker> {
        let needed = std::mem::take(&mut self.resume_driver) || self.output.pending() > 0;
        if needed { self.driver.take() } else { None }
    }

    /// Too much is received and not taken: the driver leaves the rest in the socket.
    pub fn pause_reading_if_full(&mut self) -> bool {
        self.reading_paused = self.received_bytes > RECEIVED_LIMIT;
        self.reading_paused
    }

    /// Queues a REQUEST; the number of the new stream.
    pub fn open(&mut self, head: &RequestHead<'_>, begin: Begin) -> Result<u32, WireError> {
        match self.phase {
            Phase::Open => {}
            Phase::Draining => return Err(WireError::Draining),
            Phase::Closed(reason) => return Err(WireError::Unsent(reason)),
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(WireError::TooManyStreams);
        }
        if self.output.pending() > REQUEST_PENDING_LIMIT {
            return Err(WireError::Congested);
        }
        let (flags, body, sent_end) = match begin {
            Begin::Whole(body) if body.is_empty() => (FLAG_END, None, true),
            Begin::Whole(body) if body.len() > WINDOW => return Err(WireError::BodyTooLong),
            Begin::Whole(body) => (0, Some(body), true),
            Begin::Streaming => (0, None, false),
            Begin::Upgrade => (FLAG_UPGRADE, None, false),
        };
        let number = self.next_number();
        let begins_at = self.output.position();
        self.output.append(|tail| codec::put_request(tail, number, flags, head))?;
        self.last = number;
        if let Some(body) = body {
            self.output.data(number, body);
            self.output.put(|tail| codec::put_header(tail, 0, Kind::End, number));
        }
        self.streams.insert(number, Stream::opened(begins_at, flags & FLAG_UPGRADE != 0, sent_end, Note::of(head)));
        Ok(number)
    }

    fn next_number(&mut self) -> u32 {
        let mut number = self.last;
        loop {
            number = number.checked_add(1).unwrap_or_else(|| {
                self.wrapped = true;
                1
            });
            if !self.streams.contains_key(&number) {
                return number;
            }
        }
    }

    /// Applies every whole frame at the front of `input`.
    pub fn receive(&mut self, input: &mut BytesMut, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        while let Some(header) = Header::from_runtime(input)? {
            if input.len() < HEADER + header.length {
                break;
            }
            input.advance(HEADER);
            let payload = if header.length > COPY_UP_TO {
                input.split_to(header.length).freeze()
            } else {
                let copy = Bytes::copy_from_slice(&input[..header.length]);
                input.advance(header.length);
                copy
            };
            self.apply(header, payload, wakers)?;
        }
        Ok(())
    }

    fn apply(&mut self, header: Header, payload: Bytes, wakers: &mut Vec<Waker>) -> Result<(), Violation> {
        if header.kind == Kind::Goaway {
            if self.phase == Phase::Open {
                self.phase = Phase::Draining;
            }
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&header.stream) else {
            return self.stray_frame(header);
        };
        match header.kind {
            Kind::Reset => {
                let (code, reason) = codec::read_reset(&payload)?;
                stream.fail(WireError::Reset { code, reason }, wakers);
                Ok(())
            }
            Kind::Window => stream.widen(codec::read_window(&payload)?, wakers),
            Kind::Data | Kind::End | Kind::Response if stream.failure.is_some() => self.stray_frame(header),
            Kind::Response => {
                let frame = codec::read_response(&payload)?;
                let length = frame.body.len();
                stream.respond(frame, wakers)?;
                self.received_bytes += length;
                Ok(())
            }
            Kind::Data => {
                let length = payload.len();
                stream.take_data(payload, wakers)?;
                self.received_bytes += length;
                Ok(())
            }
            Kind::End => stream.take_end(wakers),
            Kind::Request | Kind::Goaway => Err(Violation::UnknownType),
        }
    }

    /// A frame for a stream that has ended here: the runtime may not know yet, within reason.
    fn stray_frame(&mut self, header: Header) -> Result<(), Violation> {
        if header.stream == 0 || (!self.wrapped && header.stream > self.last) {
            return Err(Violation::UnknownStream);
        }
        let cost = (HEADER + header.length) as u64;
        self.stray = self.stray.checked_sub(cost).ok_or(Violation::StrayFrames)?;
        Ok(())
    }

    /// The head of the answer, once.
    pub fn poll_head(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Result<(ResponseHead, bool), WireError>> {
        let stream = self.streams.get_mut(&number).expect("an entry lives as long as its receiver");
        if let Some(head) = stream.head.take() {
            return Poll::Ready(Ok(*head));
        }
        if let Some(failure) = &stream.failure {
            return Poll::Ready(Err(failure.clone()));
        }
        remember(&mut stream.receiver, cx);
        Poll::Pending
    }

    /// The next chunk of the answer. Gives credit back.
    pub fn poll_received(&mut self, number: u32, cx: Option<&mut Context<'_>>) -> Poll<Result<Received, WireError>> {
        let stream = self.streams.get_mut(&number).expect("an entry lives as long as its receiver");
        if let Some(chunk) = stream.received.pop_front() {
            let length = chunk.len();
            stream.credit += chunk.len();
            if stream.credit >= CREDIT_STEP && !stream.received_end && stream.failure.is_none() {
                let credit = std::mem::take(&mut stream.credit);
                stream.receive_window += i64::try_from(credit).unwrap_or(0);
                let credit = u32::try_from(credit).expect("no more than a window is ever taken between two credits");
                self.output.put(|tail| codec::put_window(tail, number, credit));
            }
            self.release(length);
            return Poll::Ready(Ok(Received::Chunk(chunk)));
        }
        if stream.received_end {
            return Poll::Ready(Ok(Received::End));
        }
        if let Some(failure) = &stream.failure {
            return Poll::Ready(Err(failure.clone()));
        }
        if let Some(cx) = cx {
            remember(&mut stream.receiver, cx);
        }
        Poll::Pending
    }

    /// Taken bytes leave room: the driver goes on reading.
    fn release(&mut self, bytes: usize) {
        self.received_bytes -= bytes;
        if self.reading_paused && self.received_bytes <= RECEIVED_LIMIT / 2 {
            self.reading_paused = false;
            self.resume_driver = true;
        }
    }

    /// True when every byte of the answer is here; how many chunks wait.
    pub fn is_complete(&self, number: u32) -> Option<usize> {
        self.streams.get(&number).filter(|stream| stream.received_end).map(|stream| stream.received.len())
    }

    /// How many bytes of the body may be sent now.
    pub fn poll_capacity(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        let congested = self.output.pending() > BODY_PENDING_LIMIT;
        let stream = self.streams.get_mut(&number).expect("an entry lives as long as its sink");
        if let Some(failure) = &stream.failure {
            return Poll::Ready(Err(failure.clone()));
        }
        if stream.send_window > 0 && !congested {
            return Poll::Ready(Ok(stream.send_window));
        }
        remember(&mut stream.sender, cx);
        // Once, however often it is polled: a runtime that does not read must not make this grow.
        if congested && !std::mem::replace(&mut stream.congested, true) {
            self.congested.push(number);
        }
        Poll::Pending
    }

    /// Queues DATA within the capacity that was just polled.
    pub fn send(&mut self, number: u32, chunk: Bytes) -> Result<(), WireError> {
        let stream = self.streams.get_mut(&number).expect("an entry lives as long as its sink");
        if let Some(failure) = &stream.failure {
            return Err(failure.clone());
        }
        stream.send_window = stream.send_window.checked_sub(chunk.len()).ok_or(WireError::BodyTooLong)?;
        self.output.data(number, chunk);
        Ok(())
    }

    /// The sink is done: END.
    pub fn finish(&mut self, number: u32) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        if !stream.sent_end && stream.failure.is_none() {
            stream.sent_end = true;
            self.output.put(|tail| codec::put_header(tail, 0, Kind::End, number));
        }
    }

    /// Ends the stream in both directions, unless it has ended already.
    pub fn reset(&mut self, number: u32, code: u32, wakers: &mut Vec<Waker>) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        if stream.failure.is_some() || (stream.received_end && stream.sent_end) {
            return;
        }
        let reason = String::from("ended by the platform");
        stream.fail(WireError::Reset { code, reason }, wakers);
        if !matches!(self.phase, Phase::Closed(_)) {
            self.output.put(|tail| codec::put_reset(tail, number, code, ""));
            self.stray = (self.stray + STRAY_AFTER_RESET).min(STRAY_LIMIT);
        }
    }

    /// The receiver is dropped: an answer that nobody waits for any more is cancelled.
    pub fn drop_receiver(&mut self, number: u32, wakers: &mut Vec<Waker>) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        stream.receiver_alive = false;
        let dropped: usize = stream.received.drain(..).map(|chunk| chunk.len()).sum();
        let received_end = stream.received_end;
        self.release(dropped);
        if !received_end {
            self.reset(number, reset::CANCELLED, wakers);
        }
        self.forget_if_unused(number);
    }

    /// The sink is dropped: a body that will never be whole cancels the request.
    pub fn drop_sink(&mut self, number: u32, wakers: &mut Vec<Waker>) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        stream.sink_alive = false;
        if !stream.sent_end {
            self.reset(number, reset::CANCELLED, wakers);
        }
        self.forget_if_unused(number);
    }

    pub fn has_sink(&mut self, number: u32) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.sink_alive = true;
        }
    }

    fn forget_if_unused(&mut self, number: u32) {
        let unused = |stream: &Stream| !stream.receiver_alive && !stream.sink_alive;
        if self.streams.get(&number).is_some_and(unused) {
            self.streams.remove(&number);
            self.resume_driver |= self.abandoned && self.streams.is_empty();
            self.stray = (self.stray + STRAY_AFTER_END).min(STRAY_LIMIT);
        }
    }

    /// The kernel took bytes: bodies that waited for room go on.
    pub fn wrote(&mut self, bytes: usize, wakers: &mut Vec<Waker>) {
        self.output.wrote(bytes);
        if self.congested.is_empty() || self.output.pending() > BODY_PENDING_LIMIT / 2 {
            return;
        }
        for number in self.congested.drain(..) {
            if let Some(stream) = self.streams.get_mut(&number) {
                stream.congested = false;
                wakers.extend(stream.sender.take());
            }
        }
    }

    /// For [`crate::hostile`]: what is counted is what is held.
    pub fn assert_sound(&self) {
        let held: usize = self.streams.values().flat_map(|stream| &stream.received).map(Bytes::len).sum();
        assert_eq!(self.received_bytes, held, "bytes received and not taken");
        let waiting = self.congested.iter().filter(|number| self.streams.contains_key(number)).count();
        assert!(waiting <= self.streams.len(), "a stream waits for room once");
        assert!(self.streams.values().all(|stream| stream.send_window <= WINDOW), "no window grows");
    }

    /// The connection is over: every stream fails, each knowing whether it was sent.
    pub fn close(&mut self, reason: CloseReason, wakers: &mut Vec<Waker>) {
        if matches!(self.phase, Phase::Closed(_)) {
            return;
        }
        self.lost = self.unanswered();
        self.phase = Phase::Closed(reason);
        let written = self.output.written();
        for stream in self.streams.values_mut() {
            let unsent = stream.begins_at >= written;
            stream.fail(if unsent { WireError::Unsent(reason) } else { WireError::Closed(reason) }, wakers);
        }
        self.output = Output::default();
        wakers.extend(self.driver.take());
    }
}
