//! The gateway's questions: a place in an instance, an old version, may somebody see timings, here is a record.

use darter_core::app::AppState;
use darter_core::record::RequestRecord;
use darter_core::role::TokenScope;
use darter_core::{AppId, Fault};
use darter_store::{app, domain, version};
use darter_wire::Lease;

use crate::access::app_not_found;
use crate::function::compile::code;
use crate::{Platform, resource};

/// Fills the routes from the store. Once, before the first request.
pub async fn load(platform: &Platform) -> Result<(), Fault> {
    let mut tx = platform.store.read().await?;
    for (id, state, limits) in app::routes(&mut tx).await? {
        platform.apps.routes.set(&id, state, limits);
    }
    for (host, id) in domain::verified(&mut tx).await? {
        platform.apps.routes.add_domain(&host, &id);
    }
    drop(tx);
    resource::interrupt_installs(platform).await
}

/// A place in an instance of a running app.
pub async fn acquire(platform: &Platform, app: &AppId) -> Result<Lease, Fault> {
    admit(platform, app)?;
    platform.engine.acquire(app).await
}

/// A place in an instance that knows an old version.
pub async fn acquire_version(platform: &Platform, app: &AppId, function: &str, number: u32) -> Result<Lease, Fault> {
    admit(platform, app)?;
    let found = {
        let mut tx = platform.store.read().await?;
        version::code(&mut tx, app, function, number).await?
    };
    let Some(found) = found else {
        return Err(Fault::not_found(
            "function.version_not_found",
            "This app has no such version of this function. Check the name and the number after @.",
        ));
    };
    platform.engine.pinned(app, code(found)).await
}

fn admit(platform: &Platform, app: &AppId) -> Result<(), Fault> {
    match platform.apps.routes.by_label(app.as_str()) {
        None => Err(app_not_found()),
        Some(route) if route.running => Ok(()),
        Some(_) => Err(Fault::new(
            darter_core::Kind::Unavailable,
            "app.stopped",
            "This app is stopped. Its owner can start it.",
        )),
    }
}

/// Does this token belong to a member of the app?
pub async fn may_view(platform: &Platform, app: &AppId, token: &str) -> bool {
    let Ok(actor) = crate::Actor::by_token(platform, token).await else { return false };
    let Ok(account) = actor.require(TokenScope::Read) else { return false };
    let Ok(mut tx) = platform.store.read().await else { return false };
    matches!(app::lookup(&mut tx, account, app).await, Ok(Some(found)) if found.app.state != AppState::Recycled)
}

/// Counts a finished request. Never blocks.
pub fn record(platform: &Platform, record: &RequestRecord) {
    platform.apps.exposition.count(record);
    platform.apps.recorder.record(record);
}
