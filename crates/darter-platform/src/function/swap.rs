//! Bringing a committed change into the instances that run.
//!
//! The store is the truth. When an instance can not take the change, the app starts anew from the store: slower, never
//! wrong. Changes of one app take turns, so that an older version never overtakes a newer one on its way in.

use std::sync::Arc;

use darter_core::AppId;
use dashmap::DashMap;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::compile::code;
use crate::Platform;

/// One turn at a time for each app.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    apps: DashMap<AppId, Arc<Mutex<()>>>,
}

impl Turns {
    /// Waits for the turn. It ends when the guard goes.
    pub async fn take(&self, app: &AppId) -> OwnedMutexGuard<()> {
        if self.apps.len() > 1_024 {
            self.apps.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        let turn = Arc::clone(&self.apps.entry(app.clone()).or_default());
        turn.lock_owned().await
    }
}

/// A function's live version has changed.
pub(super) async fn published(platform: &Platform, app: &AppId, live: darter_store::function::LiveCode) {
    platform.apps.bundles.changed(app);
    let name = live.name.clone();
    if let Err(fault) = platform.engine.publish(app, code(live)).await {
        tracing::warn!(%app, function = name, %fault, "an instance did not take a new version; the app starts anew");
        platform.engine.restart(app).await;
    }
}

/// A function is gone.
pub(super) async fn removed(platform: &Platform, app: &AppId, name: &str) {
    platform.apps.bundles.changed(app);
    if let Err(fault) = platform.engine.remove(app, name).await {
        tracing::warn!(%app, function = name, %fault, "an instance did not let go of a function; the app starts anew");
        platform.engine.restart(app).await;
    }
}

/// A live function has another name.
pub(super) async fn renamed(platform: &Platform, app: &AppId, (old, new): (&str, &str)) {
    removed(platform, app, old).await;
    match live(platform, app, new).await {
        Ok(Some(code)) => published(platform, app, code).await,
        Ok(None) => {}
        Err(fault) => {
            tracing::warn!(%app, function = new, %fault, "a renamed function could not be read; the app starts anew");
            platform.engine.restart(app).await;
        }
    }
}

async fn live(
    platform: &Platform,
    app: &AppId,
    name: &str,
) -> Result<Option<darter_store::function::LiveCode>, darter_core::Fault> {
    let mut tx = platform.store.read().await?;
    let Some(function) = darter_store::function::lookup(&mut tx, app, name).await? else { return Ok(None) };
    let Some(number) = function.summary.live_version else { return Ok(None) };
    Ok(darter_store::version::code(&mut tx, app, name, number).await?)
}
