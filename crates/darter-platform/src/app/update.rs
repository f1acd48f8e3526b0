//! Changing an app's name and limits.

use darter_api::app as api;
use darter_core::app::{AppState, validate_name};
use darter_core::role::Action;
use darter_core::{AppId, Fault, Kind};
use darter_store::app;

use super::view::show;
use crate::access::Opened;
use crate::{Actor, Platform};

/// Changes what is given. With `expected`, only if the app is still at that revision.
pub async fn update(
    platform: &Platform,
    actor: &Actor,
    id: &AppId,
    (input, expected): (api::UpdateApp, Option<i64>),
) -> Result<api::App, Fault> {
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?;
    let mut next = opened.app.app.clone();
    if next.state == AppState::Recycled {
        return Err(Fault::conflict("app.recycled", "This app is in the recycle bin. Restore it first."));
    }
    if expected.is_some_and(|expected| expected != next.revision) {
        return Err(stale(next.revision));
    }
    if let Some(name) = &input.name {
        validate_name(name)?;
        name.trim().clone_into(&mut next.name);
    }
    let limits_changed = input.limits.as_ref().is_some_and(|limits| *limits != next.limits);
    if let Some(limits) = input.limits.clone() {
        limits.validate()?;
        next.limits = limits;
    }
    next.revision += 1;
    next.updated_at = platform.clock.now();
    if !app::update(&mut opened.tx, &next).await? {
        return Err(stale(next.revision));
    }
    opened.audit("app.update", "", serde_json::json!({ "name": input.name, "limits": input.limits })).await?;
    opened.tx.commit().await?;
    opened.app.app = next;
    let app = &opened.app.app;
    platform.apps.routes.set(id, app.state, app.limits.clone());
    if limits_changed {
        platform.apps.bundles.changed(id);
        platform.engine.restart(id).await;
        super::keep(platform, id);
    }
    Ok(show(platform, &opened.app, None))
}

pub(super) fn stale(revision: i64) -> Fault {
    Fault::new(
        Kind::Stale,
        "app.stale",
        "Somebody else changed this app since you read it. Load it again, then make your change.",
    )
    .with("revision", revision)
}
