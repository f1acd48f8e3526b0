//! Back-pressure. The protocol's library opens a client's window again when it has received, not when somebody has read:
//! so what a client sent and nobody has taken yet is counted here, and nothing more is read from its socket while that is
//! too much. Its other direction goes on meanwhile, so that a program that must write before it reads is not stuck.
//!
//! ```text
//! socket ─► [gate: pauses] ─► library ─► inbox (counted) ─► workspace
//! socket ◄──────────────────── library ◄── window ◄──────── workspace
//! ```
//!
//! A window that the client opens again comes behind what it sent before. So while something waits for a window, more is
//! read, up to a second limit; a client that lets both fill up is given up on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one connection that wait to be taken, before its socket is left alone.
const SOFT: usize = 1 << 20;
/// The same while something waits for the client's window.
const HARD: usize = 16 << 20;
/// Something that has waited for a window for so long does wait.
const SOON: Duration = Duration::from_millis(50);
/// How often whoever waits for a window looks whether it can still come.
const LOOK: Duration = Duration::from_secs(30);

/// What one connection holds.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    held: AtomicUsize,
    starving: AtomicUsize,
    closed: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Gate {
    /// Something was received that nobody has taken yet.
    pub(crate) fn took(self: &Arc<Self>, bytes: usize) -> Held {
        self.held.fetch_add(bytes, Ordering::SeqCst);
        Held { gate: Arc::clone(self), bytes }
    }

    /// Ends the connection, whatever its client does.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn full(&self) -> bool {
        let most = if self.starving.load(Ordering::SeqCst) > 0 { HARD } else { SOFT };
        self.held.load(Ordering::SeqCst) >= most
    }

    /// Waits for something that needs the client's window. False: it cannot come any more, or the client is gone.
    pub(crate) async fn patient<E>(&self, sending: impl Future<Output = Result<(), E>>) -> bool {
        tokio::pin!(sending);
        if let Ok(sent) = tokio::time::timeout(SOON, &mut sending).await {
            return sent.is_ok();
        }
        let _starving = Starving::new(self);
        loop {
            match tokio::time::timeout(LOOK, &mut sending).await {
                Ok(sent) => return sent.is_ok(),
                Err(_) if self.held.load(Ordering::SeqCst) >= HARD => return false,
                Err(_) => {}
            }
        }
    }

    fn pauses(&self, cx: &mut Context<'_>) -> bool {
        if !self.full() {
            return false;
        }
        self.reader.register(cx.waker());
        // Room may have been made in between.
        self.full() && !self.closed.load(Ordering::SeqCst)
    }
}

struct Starving<'a>(&'a Gate);

impl<'a> Starving<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.starving.fetch_add(1, Ordering::SeqCst);
        gate.reader.wake();
        Self(gate)
    }
}

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.0.starving.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What waits to be taken; dropped when it was.
#[derive(Debug)]
pub(crate) struct Held {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate.held.fetch_sub(self.bytes, Ordering::SeqCst);
        if !self.gate.full() {
            self.gate.reader.wake();
        }
    }
}

/// A client's socket behind a gate.
pub(crate) struct Gated<S> {
    stream: S,
    gate: Arc<Gate>,
}

impl<S> Gated<S> {
    pub(crate) fn new(stream: S, gate: Arc<Gate>) -> Self {
        Self { stream, gate }
    }

    fn ended(&self) -> Option<io::Error> {
        self.gate.closed.load(Ordering::SeqCst).then(|| io::Error::from(io::ErrorKind::ConnectionAborted))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.gate.reader.register(cx.waker());
        if let Some(error) = self.ended() {
            return Poll::Ready(Err(error));
        }
        if self.gate.pauses(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.gate.writer.register(cx.waker());
        if let Some(error) = self.ended() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn reads(stream: &mut (impl AsyncRead + Unpin)) -> bool {
        let mut byte = [0];
        futures_util::poll!(Box::pin(stream.read_exact(&mut byte))).is_ready()
    }

    #[tokio::test]
    async fn a_full_gate_reads_nothing_until_something_is_taken() {
        let (mut client, server) = tokio::io::duplex(64);
        let gate = Arc::new(Gate::default());
        let mut gated = Gated::new(server, Arc::clone(&gate));
        client.write_all(b"abcd").await.unwrap();
        assert!(reads(&mut gated).await);
        let held = gate.took(SOFT);
        assert!(!reads(&mut gated).await);
        let starving = Starving::new(&gate);
        assert!(reads(&mut gated).await, "somebody waits for a window, which comes behind");
        drop(starving);
        let task = tokio::spawn(async move { gated.read_u8().await.map(|byte| (byte, gated)) });
        tokio::task::yield_now().await;
        drop(held);
        let (byte, mut gated) = task.await.unwrap().unwrap();
        assert_eq!(byte, b'c');
        gate.close();
        assert!(gated.read_u8().await.is_err() && gated.write_all(b"x").await.is_err());
    }
}
