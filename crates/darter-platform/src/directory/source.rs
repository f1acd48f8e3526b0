//! What the engine asks: an app's bundle to start from, and where log lines go.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use darter_core::app::AppState;
use darter_core::record::LogRecord;
use darter_core::{AppId, Fault, Kind};
use darter_engine::{AppBundle, AppSource};
use darter_store::logs::LogStore;
use darter_store::{app, dependency, function};

use crate::access::app_not_found;
use crate::function::compile::code;
use crate::{Platform, resource};

/// The engine is made before the platform that holds it: this knows the platform as soon as it is there, and does not
/// keep it alive.
pub struct Source {
    platform: std::sync::OnceLock<Weak<Platform>>,
    logs: LogStore,
}

impl Source {
    pub fn new(logs: LogStore) -> Arc<Self> {
        Arc::new(Self { platform: std::sync::OnceLock::new(), logs })
    }

    /// Tells where to load from. The first call counts.
    pub fn connect(&self, platform: &Arc<Platform>) {
        let _ = self.platform.set(Arc::downgrade(platform));
    }

    fn platform(&self) -> Result<Arc<Platform>, Fault> {
        let known = self.platform.get().and_then(Weak::upgrade);
        known.ok_or_else(|| {
            Fault::new(
                Kind::Unavailable,
                "server.stopping",
                "The server is starting or stopping. Try again in a moment.",
            )
            .retry_after(1)
        })
    }
}

#[async_trait]
impl AppSource for Source {
    async fn load(&self, app: &AppId) -> Result<AppBundle, Fault> {
        let platform = self.platform()?;
        let generation = match platform.apps.bundles.get(app) {
            Ok(bundle) => return Ok(bundle),
            Err(generation) => generation,
        };
        let bundle = load(&platform, app).await?;
        platform.apps.bundles.keep(&bundle, generation);
        Ok(bundle)
    }

    fn log(&self, record: LogRecord) {
        self.logs.append(record);
    }
}

/// Reads everything in one transaction, so that code and environment belong together. A stopped app is loaded too: a
/// draft may run in it. Callers are kept away from it before they get here.
async fn load(platform: &Platform, id: &AppId) -> Result<AppBundle, Fault> {
    let mut tx = platform.store.read().await?;
    let found = app::find(&mut tx, id).await?.ok_or_else(app_not_found)?;
    match found.state {
        AppState::Running | AppState::Stopped => {}
        AppState::Recycled => return Err(app_not_found()),
    }
    let functions = function::live(&mut tx, id).await?.into_iter().map(code).collect();
    let environment = resource::environment(platform, &mut tx, id).await?;
    let dependencies = dependency::get(&mut tx, id).await?.digest;
    let secret = resource::server_secret(platform, &found)?;
    Ok(AppBundle { app: id.clone(), environment, secret, functions, dependencies, limits: Arc::new(found.limits) })
}
