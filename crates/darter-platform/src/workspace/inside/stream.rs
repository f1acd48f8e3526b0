//! A way into a workspace that is held open: bytes both ways, and the count that keeps it awake.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use darter_engine::workspace::WorkspaceLease;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// An open way inside. The workspace counts a connection until it is dropped.
pub struct Inside {
    stream: Box<dyn Both>,
    _lease: WorkspaceLease,
}

impl Inside {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, lease: WorkspaceLease) -> Self {
        Self { stream: Box::new(stream), _lease: lease }
    }
}

impl AsyncRead for Inside {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Inside {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
