//! The way out of a sandbox: connections that programs inside make to the proxy address.
//!
//! The listening socket was made inside the sandbox's network namespace and is held only here: nothing inside relays,
//! holds or could replace it. What comes out of an accepted connection is hostile all the same.

use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::sandbox::Exit;

/// Most connections of one sandbox open at a time; further ones wait in the backlog inside.
const CONNECTIONS: usize = 256;
/// After an error that is ours (no descriptors left), before trying again.
const BREATH: Duration = Duration::from_millis(50);

/// Connections from inside a sandbox to its proxy address. Drop it to refuse further ones.
#[derive(Debug)]
pub struct Egress {
    listener: TcpListener,
    end: watch::Receiver<Option<Exit>>,
    places: Arc<Semaphore>,
}

impl Egress {
    pub(crate) fn new(listener: StdListener, end: watch::Receiver<Option<Exit>>) -> std::io::Result<Self> {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        Ok(Self { listener: TcpListener::from_std(listener)?, end, places })
    }

    /// The next connection, or `None` once the sandbox has ended. At most 256 are open at a time; further ones wait
    /// in the backlog inside the sandbox. Safe to cancel.
    pub async fn accept(&mut self) -> Option<Tunnel> {
        let mut end = self.end.clone();
        let next = async {
            // The semaphore is never closed.
            let place = self.places.clone().acquire_owned().await.ok()?;
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => return Some(Tunnel { stream, _place: place }),
                    Err(error) => {
                        tracing::warn!(%error, "accepting a connection from a sandbox failed; trying again");
                        tokio::time::sleep(BREATH).await;
                    }
                }
            }
        };
        tokio::select! {
            tunnel = next => tunnel,
            _ = end.wait_for(Option::is_some) => None,
        }
    }
}

/// One connection from inside. Every byte of it is hostile.
#[derive(Debug)]
pub struct Tunnel {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl Tunnel {
    /// The connection, a socket of the sandbox's own network namespace.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
