//! A platform in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use darter_core::{Clock, SystemRandom};
use darter_platform::directory::Source;
use darter_platform::domain::Resolver;
use darter_platform::{MailConfig, Operator, Parts, Platform, PlatformConfig};
use darter_store::Store;
use darter_store::logs::{LogOptions, LogStore};

use crate::browser::Browser;
use crate::clock::FakeClock;
use crate::dns::FakeDns;
use crate::engine::FakeEngine;

/// A platform with everything around it.
pub struct TestPlatform {
    pub platform: Arc<Platform>,
    pub engine: Arc<FakeEngine>,
    pub clock: Arc<FakeClock>,
    pub dns: Arc<FakeDns>,
    pub router: Router,
    folder: tempfile::TempDir,
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
        assert_eq!(config.validate(), Vec::new());
        let clock = Arc::new(FakeClock::default());
        let engine = Arc::new(FakeEngine::default());
        let dns = Arc::new(FakeDns::default());
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let logs = LogStore::open(LogOptions::new(folder.path().join("logs")), Arc::clone(&shared)).unwrap();
        let source = Source::new(logs.clone());
        let parts = Parts {
            data: folder.path().to_owned(),
            store: Store::open_file(&folder.path().join("control.db")).await.unwrap(),
            config,
            clock: shared,
            random: Arc::new(SystemRandom),
            engine: Arc::clone(&engine) as Arc<dyn darter_engine::Engine>,
            logs,
            resolver: Arc::clone(&dns) as Arc<dyn Resolver>,
            doctor: Box::new(Vec::new),
        };
        let platform = Platform::open(parts).await.unwrap();
        source.connect(&platform);
        let router = darter_http::router(Arc::clone(&platform));
        Self { platform, engine, clock, dns, router, folder }
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
