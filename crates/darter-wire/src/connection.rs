//! The multiplexing client.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Answer, Begin, CloseReason, RequestHead, RequestSink, WireError};

/// A live, multiplexed connection to one instance. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Connection;

impl Connection {
    /// Takes the stream over: spawns the one task that reads and writes it. Needs a tokio runtime.
    pub fn start<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        drop(stream);
        unimplemented!()
    }

    /// Opens a stream: queues the REQUEST frame at once. Never blocks.
    /// The sink is present when a body follows or an upgrade is asked for.
    pub fn open(&self, _head: &RequestHead<'_>, _begin: Begin) -> Result<(Option<RequestSink>, Answer), WireError> {
        unimplemented!()
    }

    /// Requests that have not ended.
    pub fn in_flight(&self) -> usize {
        unimplemented!()
    }

    /// True until the runtime says GOAWAY or the connection ends.
    pub fn accepts_requests(&self) -> bool {
        unimplemented!()
    }

    /// Resolves at GOAWAY, or at the end of the connection.
    pub async fn draining(&self) {}

    /// Resolves when the connection has ended; at once when it has already.
    pub async fn closed(&self) -> CloseReason {
        unimplemented!()
    }

    /// Ends the connection now; every open stream fails with `Closed(Local)`.
    pub fn close(&self) {}
}
