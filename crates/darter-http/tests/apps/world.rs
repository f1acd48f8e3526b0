//! A platform in a temporary folder, people with tokens, and requests by URL.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use darter_core::role::TokenScope;
use darter_core::{AccountId, Clock, Fault, Millis, SystemRandom, TokenId};
use darter_engine::{AppBundle, AppSource, InstallProgress};
use darter_platform::directory::Source;
use darter_platform::{Parts, Platform, PlatformConfig};
use darter_store::logs::{LogOptions, LogStore};
use darter_store::{Store, account, member, token};
use darter_testkit::{FakeDns, FakeEngine};
use futures_util::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

/// Nothing here takes this long; a test that waits for what never comes ends.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct FakeClock(AtomicI64);

impl Clock for FakeClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
}

pub struct World {
    pub platform: Arc<Platform>,
    pub engine: Arc<FakeEngine>,
    pub dns: Arc<FakeDns>,
    clock: Arc<FakeClock>,
    source: Arc<Source>,
    router: Router,
    folder: Arc<tempfile::TempDir>,
}

impl World {
    pub async fn new() -> Self {
        let clock = Arc::new(FakeClock(AtomicI64::new(1_800_000_000_000)));
        Self::open(Arc::new(tempfile::tempdir().unwrap()), clock, Arc::default()).await
    }

    async fn open(folder: Arc<tempfile::TempDir>, clock: Arc<FakeClock>, dns: Arc<FakeDns>) -> Self {
        let logs =
            LogStore::open(LogOptions::new(folder.path().join("logs")), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let engine = Arc::new(FakeEngine::default());
        let source = Source::new(logs.clone());
        let parts = Parts {
            data: folder.path().to_owned(),
            store: Store::open_file(&folder.path().join("control.db")).await.unwrap(),
            config: PlatformConfig { apps_per_account: 10_000, ..PlatformConfig::default() },
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(SystemRandom),
            engine: Arc::clone(&engine) as Arc<dyn darter_engine::Engine>,
            workspaces: Arc::new(darter_platform::workspace::NoWorkspaces),
            environments: Arc::new(darter_platform::workspace::NoWorkspaces),
            runs: Arc::new(darter_testkit::FakeRuns::default()),
            logs,
            resolver: Arc::clone(&dns) as Arc<dyn darter_platform::domain::Resolver>,
            doctor: Box::new(Vec::new),
        };
        let platform = Platform::open(parts).await.unwrap();
        source.connect(&platform);
        let router = darter_http::router(Arc::clone(&platform));
        Self { platform, engine, dns, clock, source, router, folder }
    }

    /// The same data, opened again as after a `kill -9`: nothing of this process's memory is in it.
    pub async fn restarted(&self) -> Self {
        Self::open(Arc::clone(&self.folder), Arc::clone(&self.clock), Arc::clone(&self.dns)).await
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn advance(&self, by: Millis) {
        self.clock.0.fetch_add(by, Ordering::SeqCst);
    }

    pub fn apps_domain(&self) -> &str {
        &self.platform.config.apps_domain
    }

    /// Somebody with an account and a token that may do everything.
    pub async fn person(&self, name: &str) -> Person<'_> {
        let id = AccountId::generate(self.now(), &SystemRandom);
        let mut tx = self.platform.store.write().await.unwrap();
        let row = account::Account {
            id: id.clone(),
            username: name.into(),
            email: Some(format!("{name}@example.org")),
            email_verified: true,
            display_name: name.into(),
            password: None,
            administrator: false,
            disabled: false,
            avatar: None,
            created_at: self.now(),
            updated_at: self.now(),
            last_seen_at: None,
        };
        account::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        let person = Person { world: self, account: id, token: String::new() };
        let token = person.new_token(&[TokenScope::Read, TokenScope::Write, TokenScope::Admin]).await;
        Person { token, ..person }
    }

    pub fn anonymous(&self) -> Person<'_> {
        Person { world: self, account: AccountId::generate(1, &SystemRandom), token: String::new() }
    }

    /// The same person before this world.
    pub fn as_person(&self, person: &Person<'_>) -> Person<'_> {
        Person { world: self, account: person.account.clone(), token: person.token.clone() }
    }

    pub async fn member(&self, app: &str, person: &Person<'_>, role: &str) {
        let role = serde_json::from_value(json!(role)).unwrap();
        let mut tx = self.platform.store.write().await.unwrap();
        member::set(&mut tx, &app.parse().unwrap(), &person.account, role, self.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn apps_per_account(&self, count: u32) {
        let mut tx = self.platform.store.write().await.unwrap();
        darter_store::setting::choose(&mut tx, "apps_per_account", &count.to_string()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// What an instance of the app would start from.
    pub async fn bundle(&self, app: &str) -> Result<AppBundle, Fault> {
        self.source.load(&app.parse().unwrap()).await
    }

    /// The engine's end of the install that was begun last.
    pub async fn install(&self) -> mpsc::Sender<InstallProgress> {
        self.until(|| self.engine.install.lock().unwrap().take()).await
    }

    /// Waits until the engine was asked for this.
    pub async fn engine_calls(&self, call: &str) {
        self.until(|| self.engine.calls.lock().unwrap().iter().any(|one| one == call).then_some(())).await;
    }

    async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("what was waited for never came")
    }

    /// Drafts answer with what they were sent, and log a line.
    pub fn echo(&self, app: &str) {
        let (source, app) = (Arc::clone(&self.source), app.to_owned());
        self.engine.answers(move |request, answer| {
            source.log(darter_core::record::LogRecord {
                time: 1,
                app: app.parse().unwrap(),
                source: darter_core::record::LogSource::Function,
                level: darter_core::record::Level::Info,
                function: "x".into(),
                version: 0,
                request_id: request.request_id.clone(),
                message: "from the run".into(),
            });
            tokio::spawn(async move {
                let headers: BTreeMap<_, _> = request.headers.iter().cloned().collect();
                let (method, target, pin) = (request.method, request.target, request.pin);
                let body = String::from_utf8(request.body.all().await.to_vec()).unwrap();
                let seen = json!({ "method": method, "target": target, "pin": pin, "headers": headers, "body": body });
                answer.respond(201, &[("content-type", "application/json")], seen.to_string());
            });
        });
    }

    /// Do these bytes lie anywhere in the data directory?
    pub fn data_contains(&self, needle: &[u8]) -> bool {
        fn search(folder: &Path, needle: &[u8]) -> bool {
            std::fs::read_dir(folder).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    search(&path, needle)
                } else {
                    std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle)
                }
            })
        }
        search(self.folder.path(), needle)
    }

    /// Serves on a port of the loopback.
    pub async fn listen(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

#[derive(Clone)]
pub struct Person<'a> {
    world: &'a World,
    pub account: AccountId,
    token: String,
}

impl<'a> Person<'a> {
    pub fn token(&self) -> &str {
        &self.token
    }

    async fn new_token(&self, scopes: &[TokenScope]) -> String {
        let id = TokenId::generate(self.world.now(), &SystemRandom);
        let secret = format!("dat_{}", id.as_str());
        let row = token::Token {
            id,
            account: self.account.clone(),
            name: "test".into(),
            hint: String::new(),
            scopes: scopes.to_vec(),
            created_at: self.world.now(),
            expires_at: None,
            last_used_at: None,
        };
        let mut tx = self.world.platform.store.write().await.unwrap();
        token::insert(&mut tx, &row, &blake3::hash(secret.as_bytes()).to_hex()).await.unwrap();
        tx.commit().await.unwrap();
        secret
    }

    /// The same person with a token that only reads.
    pub async fn reading(&self) -> Person<'a> {
        Person { token: self.new_token(&[TokenScope::Read]).await, ..self.clone() }
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> http::request::Builder {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    }

    async fn raw(&self, request: Request<Body>) -> http::Response<Body> {
        let answer = tokio::time::timeout(PATIENCE, self.world.router.clone().oneshot(request)).await;
        answer.expect("an answer never came").expect("a router does not fail")
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.raw(request).await.into_parts();
        // An endless body (an event stream) is not waited for: its head says enough here.
        let endless = head.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let bytes = if endless { Bytes::new() } else { body.collect().await.unwrap().to_bytes() };
        let headers =
            head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        Answer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let request = self.request(method, path, headers);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.answer(request.unwrap()).await
    }

    /// A read outside the API, by whoever the headers say.
    pub async fn outside(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        self.answer(request.body(Body::empty()).unwrap()).await
    }

    pub async fn send_raw(&self, method: &str, path: &str, body: &'static str) -> Answer {
        self.answer(self.request(method, path, &[("content-type", "application/json")]).body(Body::from(body)).unwrap())
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, revision: &str, body: Value) -> Answer {
        self.send("PATCH", path, &[("if-match", revision)], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None).await
    }

    pub async fn import(&self, bytes: Vec<u8>) -> Answer {
        let request = self.request("POST", "/apps/import", &[("content-type", "application/zip")]);
        self.answer(request.body(Body::from(bytes)).unwrap()).await
    }

    pub async fn get_bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.raw(self.request("GET", path, &[]).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 200, "{path}");
        tokio::time::timeout(PATIENCE, answer.into_body().collect())
            .await
            .expect("the body never ended")
            .unwrap()
            .to_bytes()
            .to_vec()
    }

    pub async fn get_text(&self, path: &str) -> String {
        String::from_utf8(self.get_bytes(path).await).unwrap()
    }

    /// Opens a stream of events.
    pub async fn open(&self, path: &str) -> Events {
        let answer = self.raw(self.request("GET", path, &[]).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 200, "{path}");
        Events { stream: answer.into_body().into_data_stream(), seen: String::new() }
    }

    /// Makes an app; returns its id.
    pub async fn app(&self, name: &str) -> String {
        let made = self.post("/apps", json!({ "name": name })).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.body["id"].as_str().unwrap().to_owned()
    }

    pub async fn function(&self, app: &str, name: &str, source: &str) {
        let made = self.post(&format!("/apps/{app}/functions"), json!({ "name": name, "source": source })).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
}

pub struct Events {
    stream: BodyDataStream,
    seen: String,
}

impl Events {
    /// Reads on until this text has come; returns everything up to there.
    pub async fn until(&mut self, text: &str) -> String {
        while !self.seen.contains(text) {
            let chunk = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            let chunk = chunk.expect("the text never came").expect("the stream ended").unwrap();
            self.seen.push_str(&String::from_utf8_lossy(&chunk));
        }
        std::mem::take(&mut self.seen)
    }
}
