//! Accepts connections: one loop for each listener, a bound on how many are open.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::connection;
use crate::crowd::Seat;
use crate::server::Inner;
use crate::tls::Tls;

/// A bound socket and how it speaks.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Tls>,
}

impl Listener {
    /// HTTP/1.1, and HTTP/2 with prior knowledge.
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }

    /// HTTPS; HTTP/2 or HTTP/1.1 by ALPN.
    pub fn tls(socket: TcpListener, tls: Tls) -> Self {
        Self { socket, tls: Some(tls) }
    }
}

/// Accepts until the gateway stops.
pub(crate) async fn accept(inner: Arc<Inner>, listener: Listener) {
    loop {
        let next = tokio::select! {
            biased;
            () = inner.stopping.cancelled() => return,
            next = next_connection(&inner, &listener.socket) => next,
        };
        match next {
            Ok((stream, address, place)) => {
                let Ok(seat) = seat(&inner, address.ip()) else { continue };
                let inner = Arc::clone(&inner);
                let tls = listener.tls.clone();
                inner.tasks.clone().spawn(async move {
                    connection::serve(inner, stream, address, tls).await;
                    drop((seat, place));
                });
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

/// A place in the share of the client's network; `None` for those that stand for many. Who has its share already is let go
/// without a word: an answer would cost what it is not to have.
fn seat(inner: &Inner, address: IpAddr) -> Result<Option<Seat>, ()> {
    let address = address.to_canonical();
    if address.is_loopback() || inner.config.trusted_proxies.iter().any(|network| network.contains(address)) {
        return Ok(None);
    }
    inner.crowd.seat(address).map(Some).ok_or(())
}

async fn next_connection(
    inner: &Inner,
    socket: &TcpListener,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    // Full: leave newcomers in the kernel's backlog instead of taking and dropping them.
    let place = Arc::clone(&inner.places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = socket.accept().await?;
    Ok((stream, address, place))
}

/// A client that is gone already is no news; a machine without descriptors needs a moment.
async fn pause_after(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::warn!(%error, "a connection could not be accepted; trying again in 100 ms");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
