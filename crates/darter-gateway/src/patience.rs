//! Clients that stop reading: a write that waits is given a deadline, and an answer that nobody takes ends.
//!
//! hyper knows no time-out for writing. Two things are watched here, and neither costs anything while bytes move:
//! - [`Patient`], the socket: its buffer is full, and the client takes nothing out of it (HTTP/1.1, HTTP/2, tunnels).
//! - [`Streams`], the streams of an HTTP/2 connection: the socket moves, and the client gives one stream no window.
//!
//! It must never count the time in which a function is silent: that is the deadlines' business.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a client may take nothing. Shared by a connection and by those who learn whom it talks to.
#[derive(Debug, Clone)]
pub(crate) struct Patience(Arc<AtomicU64>);

impl Patience {
    pub fn new(time: Duration) -> Self {
        Self(Arc::new(AtomicU64::new(millis(time))))
    }

    pub fn set(&self, time: Duration) {
        self.0.store(millis(time), Ordering::Relaxed);
    }

    /// For a connection with many answers at once: the most patient of them counts.
    pub fn raise(&self, time: Duration) {
        self.0.fetch_max(millis(time), Ordering::Relaxed);
    }

    pub fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that is only wound while something waits.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    wound: bool,
}

impl Alarm {
    /// What was waited for is here.
    pub fn rest(&mut self) {
        self.wound = false;
    }

    /// Ready when something has been waited for this long. The time counts from the first call after [`rest`](Self::rest).
    pub fn poll(&mut self, cx: &mut Context<'_>, time: Duration) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        if !self.wound {
            self.wound = true;
            sleep.as_mut().reset(Instant::now() + time);
        }
        sleep.as_mut().poll(cx)
    }
}

/// A socket whose writes have a deadline.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    io: S,
    patience: Patience,
    alarm: Alarm,
}

impl<S> Patient<S> {
    pub fn new(io: S, patience: Patience) -> Self {
        Self { io, patience, alarm: Alarm::default() }
    }

    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.alarm.rest();
            return written;
        }
        let patience = self.patience.get();
        self.alarm.poll(cx, patience).map(|()| {
            let why = format!("the client has read nothing for {} ms", patience.as_millis());
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    // A socket holds nothing back: neither of these waits for the client.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// How an HTTP/2 answer gets on. Its body writes it, the task of its stream reads it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A piece was handed over, and the next one has not been asked for.
    handed: AtomicBool,
    pieces: AtomicU64,
    patience: AtomicU64,
}

tokio::task_local! {
    static PACE: Arc<Pace>;
}

impl Pace {
    /// Of the stream that this task serves.
    pub fn current() -> Option<Arc<Self>> {
        PACE.try_with(Arc::clone).ok()
    }

    pub fn wait_at_most(&self, patience: Duration) {
        self.patience.store(millis(patience), Ordering::Relaxed);
    }

    /// The body has handed over a piece; hyper asks again when the client has made room for it.
    pub fn handed(&self) {
        self.pieces.fetch_add(1, Ordering::Relaxed);
        self.handed.store(true, Ordering::Relaxed);
    }

    /// hyper asked: what was handed over is on its way.
    pub fn asked(&self) {
        self.handed.store(false, Ordering::Relaxed);
    }
}

/// Runs the streams of one HTTP/2 connection, and ends those whose client takes nothing: a stream that is dropped is
/// reset, the others go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    begun: AtomicU64,
}

struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        self.counts.begun.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.counts));
        let pace = Arc::new(Pace::default());
        tokio::spawn(PACE.scope(Arc::clone(&pace), async move {
            while_taken(stream, &pace).await;
            drop(open);
        }));
    }
}

impl Streams {
    /// Resolves when the connection has had no stream for this long, at the latest after twice that.
    pub async fn quiet(&self, time: Duration) {
        loop {
            let before = self.counts.begun.load(Ordering::Relaxed);
            tokio::time::sleep(time).await;
            // Looked at seldom instead of at each stream: a request must not wake the connection once more.
            if self.counts.open.load(Ordering::Relaxed) == 0 && self.counts.begun.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

/// Drives a stream until it is done, or its client has left a piece of the answer lying for too long.
async fn while_taken<F: Future>(stream: F, pace: &Pace) {
    let mut stream = pin!(stream);
    let mut alarm = Alarm::default();
    let mut watched = 0;
    std::future::poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let pieces = pace.pieces.load(Ordering::Relaxed);
        if !pace.handed.load(Ordering::Relaxed) || pieces != watched {
            alarm.rest();
            watched = pieces;
        }
        if !pace.handed.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        alarm.poll(cx, Duration::from_millis(pace.patience.load(Ordering::Relaxed)))
    })
    .await;
}
