//! The way out: an HTTP proxy that every connection of a sandbox has to take.
//!
//! It resolves a name once, judges the address, and connects to exactly that address. It never follows a redirect,
//! never looks into what passes, and says in words what it refused and why.

mod meter;
mod policy;
pub(crate) mod request;
mod vet;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use meter::Meter;
pub use policy::Policy;
pub use vet::{Refusal, vet};

use meter::Way;
use request::ProxyRequest;

/// A client that has not sent its head by then is not a client.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
const CHUNK: usize = 16 << 10;
/// Names being looked up for all tenants. Each takes a thread until the name server has answered or given up, whoever
/// still waits for it; the runtime has 512, and files and passwords need some of them, too.
static LOOKUPS: Semaphore = Semaphore::const_new(256);

/// The proxy of one tenant's sandboxes.
#[derive(Debug, Clone)]
pub struct Proxy {
    policy: Arc<Policy>,
    meter: Arc<Meter>,
    connect: Duration,
    idle: Duration,
}

impl Proxy {
    /// With the operator's policy, the tenant's meter, and how long to wait for a connection and for its next byte.
    pub fn new(policy: Arc<Policy>, meter: Arc<Meter>, connect: Duration, idle: Duration) -> Self {
        Self { policy, meter, connect, idle }
    }

    /// Serves every connection of a sandbox until the sandbox ends.
    pub async fn serve(self, mut egress: darter_sandbox::Egress) {
        while let Some(tunnel) = egress.accept().await {
            let proxy = self.clone();
            tokio::spawn(async move { proxy.handle(tunnel).await });
        }
    }

    /// Serves one connection.
    pub async fn handle<S: AsyncRead + AsyncWrite + Unpin>(&self, mut client: S) {
        let Ok(_place) = self.meter.places.try_acquire() else {
            return refuse(&mut client, 429, "Too many outgoing connections are open. Close some, or reuse them.")
                .await;
        };
        let (request, rest) = match timeout(HEAD_DEADLINE, read_head(&mut client)).await {
            Ok(Ok(Some(read))) => read,
            Ok(Ok(None)) => return,
            Ok(Err(why)) => {
                return refuse(&mut client, 400, &format!("The proxy did not understand the request: {why}.")).await;
            }
            Err(_) => return refuse(&mut client, 408, "The proxy waited 10 s for the request's head.").await,
        };
        match self.reach(&request).await {
            Ok(origin) => self.join(client, origin, request, rest).await,
            Err((status, why)) => refuse(&mut client, status, &why).await,
        }
    }

    /// Resolves once, judges, and connects to one of the addresses that passed.
    async fn reach(&self, request: &ProxyRequest) -> Result<TcpStream, (u16, String)> {
        let target = format!("{}:{}", request.host, request.port);
        let refused = |why: String| (403, format!("Connecting to {target} is not allowed: {why}."));
        self.policy.check_name(&request.host, request.port).map_err(refused)?;
        let addresses = self.resolve(&request.host, request.port).await.map_err(|why| (502, why))?;
        let mut reason = None;
        let mut failed = None;
        for address in addresses {
            if let Err(why) = self.policy.check_address(&request.host, address) {
                reason = Some(why);
                continue;
            }
            match timeout(self.connect, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = Some((502, format!("Connecting to {target} failed: {error}."))),
                Err(_) => {
                    failed =
                        Some((504, format!("Connecting to {target} took longer than {} ms.", self.connect.as_millis())))
                }
            }
        }
        Err(failed.unwrap_or_else(|| refused(reason.unwrap_or_else(|| "it has no address".into()))))
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        match timeout(self.connect, self.look_up(host.to_owned(), port)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) => Err(format!("The name {host} could not be found. Check its spelling.")),
            Err(_) => Err(format!("Looking up the name {host} took too long.")),
        }
    }

    /// Takes a place of the tenant and one of the server; both are held until the look-up has really ended, so that slow
    /// name servers hold up nobody but the tenant who asks them.
    async fn look_up(&self, host: String, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let own = Arc::clone(&self.meter.lookups).acquire_owned().await.map_err(std::io::Error::other)?;
        let place = LOOKUPS.acquire().await.map_err(std::io::Error::other)?;
        let work = tokio::spawn(async move {
            let _held = (own, place);
            tokio::net::lookup_host((host, port)).await.map(|found| found.take(16).collect())
        });
        work.await.map_err(std::io::Error::other)?
    }

    async fn join<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut client: S,
        mut origin: TcpStream,
        request: ProxyRequest,
        rest: Vec<u8>,
    ) {
        let opened = match request.forward {
            Some(head) => origin.write_all(&head).await,
            None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await,
        };
        if opened.is_err() || origin.write_all(&rest).await.is_err() {
            return;
        }
        self.meter.pass(Way::Out, rest.len() as u64).await;
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_origin, mut to_origin) = origin.split();
        let out = self.copy(&mut from_client, &mut to_origin, Way::Out);
        let back = self.copy(&mut from_origin, &mut to_client, Way::In);
        // An error on one side ends both; the end of one direction leaves the other open.
        let _ = tokio::try_join!(out, back);
    }

    async fn copy<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        from: &mut R,
        to: &mut W,
        way: Way,
    ) -> std::io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = timeout(self.idle, from.read(&mut buffer)).await??;
            if length == 0 {
                return to.shutdown().await;
            }
            self.meter.pass(way, length as u64).await;
            timeout(self.idle, to.write_all(&buffer[..length])).await??;
        }
    }
}

/// `Ok(None)`: the client went away before it had asked.
async fn read_head<S: AsyncRead + Unpin>(client: &mut S) -> Result<Option<(ProxyRequest, Vec<u8>)>, &'static str> {
    let mut input = Vec::with_capacity(1024);
    loop {
        match client.read_buf(&mut input).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
        if let Some((request, length)) = request::parse(&input)? {
            return Ok(Some((request, input.split_off(length))));
        }
    }
}

async fn refuse<S: AsyncWrite + Unpin>(client: &mut S, status: u16, why: &str) {
    let phrase = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        504 => "Gateway Timeout",
        _ => "Bad Gateway",
    };
    let answer = format!(
        "HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\nx-darter-egress: refused\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{why}\n",
        why.len() + 1
    );
    // The client may be gone; then nobody is left to be told.
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
}

#[cfg(test)]
mod tests;
