//! The multiplexing client: one task reads and writes the socket, everybody else works on the shared state.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::io::poll_read_buf;

use crate::asked::Asked;
use crate::exchange::{Answer, Begin, RequestHead, RequestSink, Response, StreamHandle};
use crate::state::{Phase, State};
use crate::{CloseReason, WINDOW, WireError};

/// Room that a read offers the kernel.
const READ_ROOM: usize = 64 << 10;
/// Segments handed to the kernel in one write.
const WRITE_SEGMENTS: usize = 64;
/// With this many requests open the writer steps back once, so that frames of other tasks join its system call.
const COALESCE_FROM: usize = 4;

/// What the handles and the driver share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    phase: watch::Sender<Phase>,
}

impl Shared {
    /// Runs `change` under the lock; wakes afterwards whoever the change concerns.
    pub fn with<T>(&self, change: impl FnOnce(&mut State, &mut Vec<Waker>) -> T) -> T {
        let mut wakers = Vec::new();
        let result = {
            let mut state = self.lock();
            let result = change(&mut state, &mut wakers);
            wakers.extend(state.driver_to_wake());
            result
        };
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock panics half-way through a change that matters more than the connection itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, reason: CloseReason) {
        self.with(|state, wakers| state.close(reason, wakers));
        self.phase.send_if_modified(|phase| {
            let ended = matches!(phase, Phase::Closed(_));
            if !ended {
                *phase = Phase::Closed(reason);
            }
            !ended
        });
    }
}

/// A live, multiplexed connection to one instance. Cloning is cheap; the socket closes when the last clone and the
/// last request are gone.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.with(|state, wakers| {
            state.abandoned = true;
            wakers.extend(state.driver.take());
        });
    }
}

impl Connection {
    /// Takes the stream over: spawns the one task that reads and writes it. Needs a tokio runtime.
    pub fn start<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), phase: watch::Sender::new(Phase::Open) });
        let driver = Driver {
            guard: EndGuard(Arc::clone(&shared)),
            stream,
            input: BytesMut::new(),
            writing: VecDeque::new(),
            wakers: Vec::new(),
            stepped_back: false,
            paused: false,
            draining: false,
        };
        tokio::spawn(driver);
        Self(Arc::new(Handle(shared)))
    }

    /// Opens a stream: queues the REQUEST frame at once. Never blocks.
    /// The sink is present when a body follows or an upgrade is asked for.
    pub fn open(&self, head: &RequestHead<'_>, begin: Begin) -> Result<(Option<RequestSink>, Answer), WireError> {
        let shared = &self.0.0;
        let with_sink = !matches!(begin, Begin::Whole(_));
        let number = shared.with(|state, _| {
            let number = state.open(head, begin)?;
            if with_sink {
                state.has_sink(number);
            }
            Ok::<_, WireError>(number)
        })?;
        let handle = || StreamHandle { shared: Arc::clone(shared), number };
        let sink = with_sink.then(|| RequestSink::new(handle()));
        Ok((sink, Answer::new(handle())))
    }

    /// Sends a whole request of any size and waits for the answer's head.
    pub async fn request(&self, head: &RequestHead<'_>, body: Bytes) -> Result<Response, WireError> {
        if body.len() <= WINDOW {
            let (_, answer) = self.open(head, Begin::Whole(body))?;
            return answer.await;
        }
        let (sink, mut answer) = self.open(head, Begin::Streaming)?;
        let mut sink = sink.ok_or(WireError::BodyTooLong)?;
        let sending = async move {
            let sent = sink.send(body).await;
            if sent.is_ok() {
                sink.finish();
            }
            sent
        };
        tokio::pin!(sending);
        tokio::select! {
            biased;
            sent = &mut sending => sent?,
            early = &mut answer => return early,
        }
        answer.await
    }

    /// Requests that have not ended.
    pub fn in_flight(&self) -> usize {
        self.0.0.lock().open_streams()
    }

    /// The oldest of them, at most eight, as they were sent. After the end: those that were open then.
    pub fn unanswered(&self) -> Vec<Asked> {
        self.0.0.lock().unanswered()
    }

    /// True until the runtime says GOAWAY or the connection ends.
    pub fn accepts_requests(&self) -> bool {
        self.0.0.lock().phase == Phase::Open
    }

    /// Resolves at GOAWAY, or at the end of the connection.
    pub async fn draining(&self) {
        let mut phase = self.0.0.phase.subscribe();
        // An error would mean that the sender is gone; it lives in `self`.
        let _ = phase.wait_for(|phase| *phase != Phase::Open).await;
    }

    /// Resolves when the connection has ended; at once when it has already.
    pub async fn closed(&self) -> CloseReason {
        let mut phase = self.0.0.phase.subscribe();
        match phase.wait_for(|phase| matches!(phase, Phase::Closed(_))).await.map(|phase| *phase) {
            Ok(Phase::Closed(reason)) => reason,
            Ok(Phase::Open | Phase::Draining) | Err(_) => CloseReason::Local,
        }
    }

    /// Ends the connection now; every open stream fails.
    pub fn close(&self) {
        self.0.0.close(CloseReason::Local);
    }
}

/// Ends the connection when the driver is dropped for whatever reason (its runtime shut down, it panicked).
struct EndGuard(Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.close(CloseReason::Local);
    }
}

/// The task that owns the socket.
struct Driver<S> {
    guard: EndGuard,
    stream: S,
    input: BytesMut,
    writing: VecDeque<Bytes>,
    wakers: Vec<Waker>,
    stepped_back: bool,
    paused: bool,
    draining: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let ended = match this.read(cx).and_then(|()| this.write(cx)) {
            Ok(()) if this.sleep(cx) => return Poll::Pending,
            Ok(()) => CloseReason::Local,
            Err(reason) => reason,
        };
        if let CloseReason::Violation(violation) = ended {
            tracing::warn!(%violation, "a runtime broke the wire protocol; its connection is closed");
        }
        this.guard.0.close(ended);
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Reads until the socket is empty and applies every whole frame.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        loop {
            if self.paused && self.guard.0.lock().reading_paused {
                return Ok(());
            }
            if self.input.capacity() - self.input.len() < READ_ROOM / 4 {
                self.input.reserve(READ_ROOM);
            }
            match poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(closed_by(&error)),
                Poll::Ready(Ok(0)) => return Err(CloseReason::PeerClosed),
                Poll::Ready(Ok(_)) => self.apply()?,
            }
        }
    }

    fn apply(&mut self) -> Result<(), CloseReason> {
        let (applied, phase) = {
            let mut state = self.guard.0.lock();
            let applied = state.receive(&mut self.input, &mut self.wakers);
            self.paused = state.pause_reading_if_full();
            (applied, state.phase)
        };
        self.wakers.drain(..).for_each(Waker::wake);
        applied?;
        if phase == Phase::Draining && !self.draining {
            self.draining = true;
            self.guard.0.phase.send_replace(Phase::Draining);
        }
        Ok(())
    }

    /// Writes until nothing waits or the socket is full.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        loop {
            if self.writing.is_empty() && !self.refill(cx)? {
                return Ok(());
            }
            match poll_write_all(&mut self.stream, &self.writing, cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(closed_by(&error)),
                Poll::Ready(Ok(0)) => return Err(CloseReason::Io(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(written)) => self.advance(written),
            }
        }
    }

    /// Takes what waits. False: nothing does, or the driver steps back once so that other tasks' frames can join.
    fn refill(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseReason> {
        let mut state = self.guard.0.lock();
        if state.output.pending() == 0 {
            return Ok(false);
        }
        if !self.stepped_back && state.open_streams() >= COALESCE_FROM {
            self.stepped_back = true;
            cx.waker().wake_by_ref();
            return Ok(false);
        }
        self.stepped_back = false;
        Ok(state.output.take_into(&mut self.writing))
    }

    /// Leaves the waker behind. False: the connection is over.
    fn sleep(&mut self, cx: &mut Context<'_>) -> bool {
        let mut state = self.guard.0.lock();
        let waits = !self.stepped_back && self.writing.is_empty() && state.output.pending() > 0;
        if waits || (self.paused && !state.reading_paused) {
            cx.waker().wake_by_ref();
        }
        state.driver = Some(cx.waker().clone());
        let finished = state.abandoned && state.open_streams() == 0 && state.output.pending() == 0;
        !(finished || matches!(state.phase, Phase::Closed(_)))
    }

    fn advance(&mut self, written: usize) {
        let mut rest = written;
        while let Some(first) = self.writing.front_mut() {
            let step = rest.min(first.len());
            first.advance(step);
            rest -= step;
            if !first.is_empty() {
                break;
            }
            self.writing.pop_front();
        }
        self.guard.0.lock().wrote(written, &mut self.wakers);
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

fn closed_by(error: &io::Error) -> CloseReason {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            CloseReason::PeerClosed
        }
        kind => CloseReason::Io(kind),
    }
}

fn poll_write_all<S: AsyncWrite + Unpin>(
    stream: &mut S,
    writing: &VecDeque<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    match writing.front() {
        Some(only) if writing.len() == 1 || !stream.is_write_vectored() => stream.poll_write(cx, only),
        Some(_) | None => {
            let mut slices = [IoSlice::new(&[]); WRITE_SEGMENTS];
            let mut count = 0;
            for (slice, segment) in slices.iter_mut().zip(writing) {
                *slice = IoSlice::new(segment);
                count += 1;
            }
            stream.poll_write_vectored(cx, &slices[..count])
        }
    }
}
