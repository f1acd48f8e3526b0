//! The gateway as a whole: what it is made of, how it starts, how it drains.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use darter_core::{Clock, Random};
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::config::{ConfigError, GatewayConfig};
use crate::crowd::Crowd;
use crate::directory::Directory;
use crate::intake::Intake;
use crate::listener::{self, Listener};
use crate::phase::Buckets;
use crate::workspace::Doors;

/// Any error of a console's body.
type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// The console's answer, whatever made it.
pub type ConsoleBody = UnsyncBoxBody<Bytes, BodyError>;
pub(crate) type Console = BoxCloneSyncService<Request<Intake>, Response<ConsoleBody>, Infallible>;

/// What the gateway is handed.
#[derive(Clone)]
pub struct Parts {
    pub directory: Arc<dyn Directory>,
    pub doors: Arc<dyn Doors>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

/// Counters for `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub connections_open: u64,
    pub requests_total: u64,
    pub requests_in_flight: u64,
    pub tunnels_open: u64,
    pub rate_limited_total: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub requests: AtomicU64,
    pub in_flight: AtomicU64,
    pub tunnels: AtomicU64,
    pub rate_limited: AtomicU64,
}

pub(crate) struct Inner {
    pub config: GatewayConfig,
    pub directory: Arc<dyn Directory>,
    pub doors: Arc<dyn Doors>,
    pub clock: Arc<dyn Clock>,
    pub noise: Noise,
    pub console: Console,
    pub buckets: Buckets,
    pub counters: Counters,
    pub places: Arc<Semaphore>,
    pub crowd: Arc<Crowd>,
    /// Connections and tunnels.
    pub tasks: TaskTracker,
    /// No new requests.
    pub stopping: CancellationToken,
    /// The grace is over.
    pub stopped: CancellationToken,
}

/// The front door. Cloning is cheap.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Puts the parts together. `console` is any `tower` service over our body, such as an `axum::Router`.
    pub fn new<S, B>(config: GatewayConfig, parts: Parts, console: S) -> Result<Self, ConfigError>
    where
        S: Service<Request<Intake>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        config.validate()?;
        let console =
            console.map_response(|answer: Response<B>| answer.map(|body| body.map_err(Into::into).boxed_unsync()));
        Ok(Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            crowd: Crowd::new(config.max_connections),
            config,
            directory: parts.directory,
            doors: parts.doors,
            clock: parts.clock,
            noise: Noise::new(parts.random),
            console: BoxCloneSyncService::new(console),
            buckets: Buckets::new(),
            counters: Counters::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            stopped: CancellationToken::new(),
        })))
    }

    /// Serves until `shutdown` resolves, then drains: no new connection and no new request, requests in flight get
    /// `drain_grace` to finish, WebSockets get a close frame (1001). Returns when everything has ended.
    pub async fn serve(&self, listeners: Vec<Listener>, shutdown: impl Future<Output = ()>) {
        let inner = &self.0;
        for listener in listeners {
            inner.tasks.spawn(listener::accept(Arc::clone(inner), listener));
        }
        let sweeping = Arc::clone(inner);
        inner.tasks.spawn(async move { sweeping.buckets.sweep(&sweeping.stopping).await });
        shutdown.await;
        inner.stopping.cancel();
        inner.tasks.close();
        let drained = tokio::time::timeout(inner.config.drain_grace, inner.tasks.wait()).await;
        if drained.is_err() {
            tracing::warn!(left = inner.tasks.len(), "the grace is over; what is left is closed");
            inner.stopped.cancel();
            inner.tasks.wait().await;
        }
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.0;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let free = inner.places.available_permits();
        Snapshot {
            connections_open: inner.config.max_connections.saturating_sub(free) as u64,
            requests_total: read(&inner.counters.requests),
            requests_in_flight: read(&inner.counters.in_flight),
            tunnels_open: read(&inner.counters.tunnels),
            rate_limited_total: read(&inner.counters.rate_limited),
        }
    }
}

/// Random bytes drawn from the system in larger portions: a system call for each request would be felt.
pub(crate) struct Noise {
    source: Arc<dyn Random>,
    pool: Mutex<(Box<[u8; 4096]>, usize)>,
}

impl Noise {
    fn new(source: Arc<dyn Random>) -> Self {
        Self { source, pool: Mutex::new((Box::new([0; 4096]), 4096)) }
    }
}

impl Random for Noise {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > 64 {
            return self.source.fill(buffer);
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, used) = &mut *pool;
        if *used + buffer.len() > bytes.len() {
            self.source.fill(&mut bytes[..]);
            *used = 0;
        }
        buffer.copy_from_slice(&bytes[*used..*used + buffer.len()]);
        *used += buffer.len();
    }
}
