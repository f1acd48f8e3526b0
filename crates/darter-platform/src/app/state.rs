//! Starting, stopping, deleting, restoring an app: the lifecycle of `darter_core::app` with its effects.
//!
//! The commit decides; what follows only makes memory and instances agree with it. When the process dies between the
//! two, instances die with it and the next start reads the store: there is nothing to repair.

use darter_api::app as api;
use darter_core::app::{AppEvent, AppState, apply};
use darter_core::role::Action;
use darter_core::{AppId, Fault};
use darter_store::app;

use super::view::show;
use crate::access::{Opened, app_not_found};
use crate::{Actor, Platform};

fn right(event: AppEvent) -> (Action, &'static str) {
    match event {
        AppEvent::Start => (Action::Edit, "app.start"),
        AppEvent::Stop => (Action::Edit, "app.stop"),
        AppEvent::Delete => (Action::Own, "app.delete"),
        AppEvent::Restore => (Action::Own, "app.restore"),
        AppEvent::Purge => (Action::Own, "app.purge"),
    }
}

/// Starts, stops, deletes or restores. Asking for what is so already is accepted.
pub async fn change(platform: &Platform, actor: &Actor, id: &AppId, event: AppEvent) -> Result<api::App, Fault> {
    let (action, operation) = right(event);
    let mut opened = Opened::write(platform, actor, id, action).await?;
    let before = opened.app.app.state;
    let Some(after) = apply(before, event)? else { return Err(app_not_found()) };
    if before != after {
        if before == AppState::Recycled {
            super::create::check_quota(&mut opened.tx, &opened.app.app.owner.clone()).await?;
        }
        let now = platform.clock.now();
        let next = &mut opened.app.app;
        next.state = after;
        next.revision += 1;
        next.updated_at = now;
        next.recycled_at = (after == AppState::Recycled).then_some(now);
        if !app::update(&mut opened.tx, &opened.app.app).await? {
            return Err(super::update::stale(opened.app.app.revision));
        }
        opened.audit(operation, "", serde_json::json!({})).await?;
        opened.tx.commit().await?;
    } else if event != AppEvent::Stop {
        return Ok(show(platform, &opened.app, None));
    }
    // Whoever asks once more for a stop that is under way waits for its end too.
    settle(platform, &opened.app.app).await;
    Ok(show(platform, &opened.app, None))
}

/// Makes routes and instances agree with the store. A stop is answered when nothing of the app runs any more, which the
/// engine's grace bounds; when its caller leaves, it goes on.
async fn settle(platform: &Platform, app: &app::App) {
    platform.apps.routes.set(&app.id, app.state, app.limits.clone());
    platform.apps.bundles.changed(&app.id);
    if app.state == AppState::Running {
        return super::keep(platform, &app.id);
    }
    let (engine, id) = (platform.engine.clone(), app.id.clone());
    let stopped = platform.tasks.spawn(async move { engine.stop(&id).await });
    if app.state == AppState::Stopped {
        // Only a panic in the engine could fail here, and that was logged.
        let _ = stopped.await;
    }
}

/// New instances in the place of the old ones.
pub async fn restart(platform: &Platform, actor: &Actor, id: &AppId) -> Result<api::App, Fault> {
    let mut opened = Opened::edit(platform, actor, id).await?;
    if opened.app.app.state == AppState::Stopped {
        return Err(Fault::conflict("app.stopped", "This app is stopped. Start it instead."));
    }
    opened.audit("app.restart", "", serde_json::json!({})).await?;
    opened.tx.commit().await?;
    platform.apps.bundles.changed(id);
    platform.engine.restart(id).await;
    Ok(show(platform, &opened.app, None))
}

/// Removes an app in the recycle bin for good.
pub async fn purge(platform: &Platform, actor: &Actor, id: &AppId) -> Result<(), Fault> {
    let (action, operation) = right(AppEvent::Purge);
    let mut opened = Opened::write(platform, actor, id, action).await?;
    apply(opened.app.app.state, AppEvent::Purge)?;
    let name = opened.app.app.name.clone();
    opened.audit(operation, "", serde_json::json!({ "name": name })).await?;
    app::remove(&mut opened.tx, id).await?;
    opened.tx.commit().await?;
    super::remove_for_good(platform, id).await;
    Ok(())
}
