//! A platform in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use darter_core::{Clock, SystemRandom};
use darter_platform::directory::Source;
use darter_platform::domain::Resolver;
use darter_platform::workspace::Residents;
use darter_platform::{MailConfig, Operator, Parts, Platform, PlatformConfig};
use darter_store::Store;
use darter_store::logs::{LogOptions, LogStore};

use crate::browser::Browser;
use crate::clock::FakeClock;
use crate::dns::FakeDns;
use crate::engine::FakeEngine;
use crate::workspaces::FakeWorkspaces;

/// A platform with everything around it.
pub struct TestPlatform {
    pub platform: Arc<Platform>,
    pub engine: Arc<FakeEngine>,
    pub workspaces: Arc<FakeWorkspaces>,
    pub clock: Arc<FakeClock>,
    pub dns: Arc<FakeDns>,
    pub router: Router,
    folder: Arc<tempfile::TempDir>,
}

impl TestPlatform {
    /// With the default configuration, and mails that go into a folder.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With a configuration of its own.
    pub async fn with(configure: impl FnOnce(&mut PlatformConfig)) -> Self {
        // Fails only when it is there already, and then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mail = MailConfig {
            folder: Some(folder.path().join("mail")),
            from: "Darter <darter@example.org>".into(),
            ..MailConfig::default()
        };
        let mut config = PlatformConfig { mail, ..PlatformConfig::default() };
        configure(&mut config);
        Self::open(Arc::new(folder), config, Arc::default()).await
    }

    /// The same data, opened again as after a `kill -9`: nothing of this process's memory is in it.
    pub async fn restarted(&self) -> Self {
        Self::open(Arc::clone(&self.folder), self.platform.config.clone(), Arc::clone(&self.clock)).await
    }

    async fn open(folder: Arc<tempfile::TempDir>, config: PlatformConfig, clock: Arc<FakeClock>) -> Self {
        assert_eq!(config.validate(), Vec::new());
        let engine = Arc::new(FakeEngine::default());
        let dns = Arc::new(FakeDns::default());
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let logs = LogStore::open(LogOptions::new(folder.path().join("logs")), Arc::clone(&shared)).unwrap();
        let source = Source::new(logs.clone());
        let residents = Residents::new();
        let workspaces = Arc::new(FakeWorkspaces::new(Arc::clone(&residents), Arc::clone(&shared)));
        let parts = Parts {
            data: folder.path().to_owned(),
            store: Store::open_file(&folder.path().join("control.db")).await.unwrap(),
            config,
            clock: shared,
            random: Arc::new(SystemRandom),
            engine: Arc::clone(&engine) as Arc<dyn darter_engine::Engine>,
            workspaces: workspaces.clone(),
            environments: workspaces.clone(),
            runs: Arc::new(crate::FakeRuns::default()),
            logs,
            resolver: Arc::clone(&dns) as Arc<dyn Resolver>,
            doctor: Box::new(Vec::new),
        };
        let platform = Platform::open(parts).await.unwrap();
        source.connect(&platform);
        residents.connect(&platform);
        let router = darter_http::router(Arc::clone(&platform));
        Self { platform, engine, workspaces, clock, dns, router, folder }
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// What the operator does on the server itself.
    pub fn operator(&self) -> Operator {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Operator { store: self.platform.store.clone(), clock, random: Arc::new(SystemRandom) }
    }

    /// A browser that has never been here.
    pub fn browser(&self) -> Browser {
        Browser::new(self.router.clone(), self.platform.config.public_url.clone())
    }

    /// The same browser before this platform.
    pub fn visitor(&self, browser: &Browser) -> Browser {
        browser.before(self.router.clone())
    }

    /// Who asks with this browser.
    pub async fn actor(&self, browser: &Browser) -> darter_platform::Actor {
        let secret = browser.cookie("darter_session").unwrap();
        darter_platform::by_cookie(&self.platform, &secret, darter_platform::Origin::default()).await.unwrap()
    }

    /// A browser of somebody who has just signed up. The first one is the administrator.
    pub async fn person(&self, name: &str) -> Browser {
        let browser = self.browser();
        let body = serde_json::json!({ "username": name, "email": format!("{name}@example.org"), "password": format!("password of {name}") });
        let answer = browser.post("/auth/signup", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        browser
    }

    /// The mails that were sent, once everything that goes on after answers has ended.
    pub async fn mails(&self) -> Vec<String> {
        self.platform.settle().await;
        let Ok(entries) = std::fs::read_dir(self.data().join("mail")) else { return Vec::new() };
        let eml = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "eml"));
        eml.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}
