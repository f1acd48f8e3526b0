//! A gateway on a real socket, with a runtime made of the wire's test peer behind it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it; helpers of tests")]

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use darter_core::limits::AppLimits;
use darter_core::record::{RequestRecord, StartPhases};
use darter_core::{AppId, Fault, Kind, SystemClock, SystemRandom};
use darter_gateway::{AppRoute, Directory, Doors, Gateway, GatewayConfig, Listener, NoWorkspaces, Parts, RouteState};
use darter_wire::testing::{Peer, PeerAnswer, PeerRequest};
use darter_wire::{Connection, Lease};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};

pub const APP: &str = "abcdefghjk";
pub const HOST: &str = "abcdefghjk.darter-apps.localhost";

type Handler = Arc<dyn Fn(PeerRequest, PeerAnswer) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The platform as the gateway sees it: one app, whose instances are peers in this process.
pub struct FakeDirectory {
    handler: Handler,
    limits: Mutex<AppLimits>,
    state: Mutex<RouteState>,
    fault: Mutex<Option<Fault>>,
    start: Option<StartPhases>,
    current: Mutex<Option<(Connection, Peer)>>,
    pub acquired: AtomicUsize,
    pub places: Arc<AtomicUsize>,
    records: mpsc::UnboundedSender<RequestRecord>,
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl FakeDirectory {
    fn route(&self) -> Arc<AppRoute> {
        Arc::new(AppRoute {
            app: APP.parse().unwrap(),
            state: *self.state.lock().unwrap(),
            limits: Arc::new(self.limits.lock().unwrap().clone()),
        })
    }

    pub fn limit(&self, change: impl FnOnce(&mut AppLimits)) {
        change(&mut self.limits.lock().unwrap());
    }

    pub fn set_state(&self, state: RouteState) {
        *self.state.lock().unwrap() = state;
    }

    pub fn fail_with(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    /// The instance that serves now.
    pub fn instance(&self) -> Peer {
        self.current.lock().unwrap().as_ref().unwrap().1.clone()
    }

    fn lease(&self) -> Result<Lease, Fault> {
        self.acquired.fetch_add(1, Ordering::SeqCst);
        if let Some(fault) = &*self.fault.lock().unwrap() {
            return Err(fault.clone());
        }
        let mut current = self.current.lock().unwrap();
        let usable = current.as_ref().is_some_and(|(connection, _)| connection.accepts_requests());
        if !usable {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let handler = Arc::clone(&self.handler);
            let peer = Peer::start(theirs, move |request, answer| handler(request, answer));
            *current = Some((Connection::start(ours), peer));
        }
        self.places.fetch_add(1, Ordering::SeqCst);
        Ok(Lease {
            connection: current.as_ref().unwrap().0.clone(),
            start: self.start.clone(),
            guard: Box::new(Place(Arc::clone(&self.places))),
        })
    }
}

#[async_trait]
impl Directory for FakeDirectory {
    fn by_label(&self, label: &str) -> Option<Arc<AppRoute>> {
        (label == APP).then(|| self.route())
    }

    fn by_domain(&self, host: &str) -> Option<Arc<AppRoute>> {
        (host == "shop.example.org").then(|| self.route())
    }

    async fn acquire(&self, _app: &AppId) -> Result<Lease, Fault> {
        self.lease()
    }

    async fn acquire_version(&self, _app: &AppId, function: &str, version: u32) -> Result<Lease, Fault> {
        if version > 3 {
            return Err(Fault::new(
                Kind::NotFound,
                "function.version_not_found",
                format!("{function} has no version {version}."),
            ));
        }
        self.lease()
    }

    async fn may_view(&self, _app: &AppId, token: &str) -> bool {
        token == "good"
    }

    fn record(&self, record: RequestRecord) {
        let _ = self.records.send(record);
    }
}

/// A running gateway.
pub struct House {
    pub address: SocketAddr,
    pub directory: Arc<FakeDirectory>,
    pub gateway: Gateway,
    pub records: tokio::sync::Mutex<mpsc::UnboundedReceiver<RequestRecord>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    served: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl House {
    pub async fn start<H, F>(handler: H) -> Self
    where
        H: Fn(PeerRequest, PeerAnswer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
        config.drain_grace = Duration::from_secs(10);
        Self::with(config, handler).await
    }

    pub async fn with<H, F>(config: GatewayConfig, handler: H) -> Self
    where
        H: Fn(PeerRequest, PeerAnswer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::build(config, (None, Arc::new(NoWorkspaces)), handler).await
    }

    /// In front of workspaces; its app answers nothing.
    pub async fn of_workspaces(doors: Arc<dyn Doors>) -> Self {
        let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
        config.recheck = std::time::Duration::from_millis(20);
        config.console = Some("http://darter.localhost".into());
        Self::build(config, (None, doors), |_, _| async {}).await
    }

    /// The same with a certificate.
    pub async fn secure<H, F>(tls: darter_gateway::Tls, handler: H) -> Self
    where
        H: Fn(PeerRequest, PeerAnswer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
        Self::build(config, (Some(tls), Arc::new(NoWorkspaces)), handler).await
    }

    async fn build<H, F>(
        config: GatewayConfig,
        (tls, doors): (Option<darter_gateway::Tls>, Arc<dyn Doors>),
        handler: H,
    ) -> Self
    where
        H: Fn(PeerRequest, PeerAnswer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (records, received) = mpsc::unbounded_channel();
        let start = StartPhases { from: "pool".into(), phases: vec![("pool".into(), 300), ("load".into(), 1_800)] };
        let directory = Arc::new(FakeDirectory {
            handler: Arc::new(move |request, answer| Box::pin(handler(request, answer))),
            limits: Mutex::default(),
            state: Mutex::new(RouteState::Running),
            fault: Mutex::default(),
            start: Some(start),
            current: Mutex::default(),
            acquired: AtomicUsize::new(0),
            places: Arc::default(),
            records,
        });
        let parts = Parts {
            directory: Arc::clone(&directory) as Arc<dyn Directory>,
            doors,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let console = axum::Router::new().route("/whole", axum::routing::post(|body: Bytes| async move { body }));
        let console = console.fallback(|request: axum::extract::Request| async move {
            let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            format!(
                "console {} for {} by {}",
                request.uri().path(),
                header("x-forwarded-for").unwrap_or_default(),
                header("x-request-id").unwrap_or_default()
            )
        });
        let gateway = Gateway::new(config, parts, console).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = gateway.clone();
        let listener = match tls {
            Some(tls) => Listener::tls(socket, tls),
            None => Listener::plain(socket),
        };
        let served = tokio::spawn(async move {
            serving
                .serve(vec![listener], async {
                    let _ = stopped.await;
                })
                .await;
        });
        Self {
            address,
            directory,
            gateway,
            records: tokio::sync::Mutex::new(received),
            stop: Mutex::new(Some(stop)),
            served: Mutex::new(Some(served)),
        }
    }

    /// Asks the gateway to stop; does not wait.
    pub fn stop(&self) {
        let _ = self.stop.lock().unwrap().take().unwrap().send(());
    }

    /// Waits until `serve` has returned.
    pub async fn ended(&self) {
        let served = self.served.lock().unwrap().take().unwrap();
        soon(served).await.unwrap();
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends raw bytes on a new connection and reads one answer.
    pub async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect().await;
        // The gateway may answer and close before it has read everything.
        let _ = stream.write_all(request.as_ref()).await;
        soon(Answer::read(&mut stream)).await
    }

    /// A simple request to the app.
    pub async fn get(&self, path: &str, headers: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n")).await
    }

    pub async fn record(&self) -> RequestRecord {
        soon(self.records.lock().await.recv()).await.unwrap()
    }
}

/// A hang is a failure, not a test that never ends.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it ends")
}

/// An answer as it came over the socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// 0: the connection ended without an answer.
    pub status: u16,
    pub headers: HashMap<String, Vec<String>>,
    pub body: Vec<u8>,
    /// The connection ended before the body did.
    pub cut: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |values| &values[0])
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Reads a head, and nothing behind it.
    pub async fn read_head(stream: &mut TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return Self { cut: true, ..Self::default() },
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers: HashMap<String, Vec<String>> = HashMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            headers.entry(name.to_ascii_lowercase()).or_default().push(value.to_owned());
        }
        Self { status, headers, body: Vec::new(), cut: false }
    }

    pub async fn read(stream: &mut TcpStream) -> Self {
        let mut answer = Self::read_head(stream).await;
        while answer.status == 100 {
            answer = Self::read_head(stream).await;
        }
        if let Some(length) = answer.headers.get("content-length") {
            let mut body = vec![0; length[0].parse().unwrap()];
            answer.cut = stream.read_exact(&mut body).await.is_err();
            answer.body = body;
        } else if answer.header("transfer-encoding") == "chunked" {
            answer.read_chunks(stream).await;
        }
        answer
    }

    async fn read_chunks(&mut self, stream: &mut TcpStream) {
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => size.push(byte),
                    Err(_) => {
                        self.cut = true;
                        return;
                    }
                }
            }
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            if stream.read_exact(&mut chunk).await.is_err() {
                self.cut = true;
                return;
            }
            if size == 0 {
                return;
            }
            self.body.extend_from_slice(&chunk[..size]);
        }
    }
}
