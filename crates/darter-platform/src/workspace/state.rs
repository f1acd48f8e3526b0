//! Starting, stopping, restarting, keeping awake, deleting, restoring: the wishes of `darter_core::workspace::desired`
//! with their effects. The commit decides; what follows only makes what runs agree with it.

use std::sync::Arc;

use darter_api::workspace as api;
use darter_core::role::Action;
use darter_core::workspace::Desired;
use darter_core::workspace::desired::{Wish, apply};
use darter_core::{Fault, Millis, WorkspaceId};
use serde_json::json;

use super::access::{Opened, not_found};
use super::config::millis;
use super::create::check_quota;
use super::view::show;
use super::wake;
use crate::{Actor, Platform};

/// How long "keep" keeps unless told.
const KEEP_MS: u64 = 2 * 3_600_000;

fn right(wish: Wish) -> (Action, &'static str) {
    match wish {
        Wish::Start => (Action::Edit, "workspace.start"),
        Wish::Stop | Wish::Rest => (Action::Edit, "workspace.stop"),
        Wish::Delete => (Action::Own, "workspace.delete"),
        Wish::Restore => (Action::Own, "workspace.restore"),
        Wish::Purge => (Action::Own, "workspace.purge"),
    }
}

/// Starts, stops, deletes or restores. Asking for what is so already is accepted. A start answers as soon as it goes on,
/// or says why it does not; a stop when nothing runs any more.
pub async fn change(
    platform: &Arc<Platform>,
    actor: &Actor,
    id: &WorkspaceId,
    wish: Wish,
) -> Result<api::Workspace, Fault> {
    let (action, operation) = right(wish);
    let mut opened = Opened::write(platform, actor, id, action).await?;
    let before = opened.found.workspace.desired;
    let Some(after) = apply(before, wish)? else { return Err(not_found()) };
    if before == Desired::Recycled && after != Desired::Recycled {
        check_quota(platform, &mut opened.tx, &opened.found.workspace.owner.clone()).await?;
    }
    let now = platform.clock.now();
    let row = &mut opened.found.workspace;
    row.desired = after;
    row.recycled_at = (after == Desired::Recycled).then(|| row.recycled_at.unwrap_or(now));
    if after != Desired::Awake {
        row.keep_until = None;
    } else {
        row.used_at = row.used_at.max(now);
    }
    opened.save(platform, (operation, json!({}))).await?;
    opened.tx.commit().await?;
    let found = opened.found;
    platform.workspaces.hang(&found.workspace, &found.owner_name);
    platform.workspaces.changed(id);
    wake::ended(wake::settle(platform, id, after)).await;
    if after == Desired::Awake {
        let started = wake::begin(platform, id, found.workspace.keep_until);
        wake::first_sign(platform, id, started).await?;
    }
    Ok(show(platform, &found))
}

/// Ends what runs and starts it anew.
pub async fn restart(platform: &Arc<Platform>, actor: &Actor, id: &WorkspaceId) -> Result<api::Workspace, Fault> {
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    opened.found.workspace.desired = Desired::Awake;
    opened.found.workspace.used_at = platform.clock.now();
    opened.save(platform, ("workspace.restart", json!({}))).await?;
    opened.tx.commit().await?;
    let found = opened.found;
    renew(platform, id, found.workspace.keep_until).await?;
    Ok(show(platform, &found))
}

/// Ends what runs, and starts it again: what it starts from has changed.
pub(crate) async fn renew(platform: &Arc<Platform>, id: &WorkspaceId, keep_until: Option<Millis>) -> Result<(), Fault> {
    platform.workspaces.engine.stop(id).await?;
    let started = wake::begin(platform, id, keep_until);
    wake::first_sign(platform, id, started).await
}

/// Does not let it go to rest for a while; 0 lets it rest again.
pub async fn keep(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    input: api::KeepWorkspace,
) -> Result<api::Workspace, Fault> {
    let most = platform.config.workspaces.keep_most_ms;
    let span = input.for_ms.unwrap_or(KEEP_MS.min(most));
    if span > most {
        let message = format!("for_ms is {span}; choose a value from 0 to {most}.");
        return Err(Fault::invalid("limit.out_of_range", message).with("limit", "for_ms").with("max", most));
    }
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    if opened.found.workspace.desired != Desired::Awake {
        let message = "This workspace is asleep, so there is nothing to keep awake. Start or open it first.";
        return Err(Fault::conflict("workspace.not_running", message));
    }
    let until = (span > 0).then(|| platform.clock.now().saturating_add(millis(span)));
    opened.found.workspace.keep_until = until;
    opened.save(platform, ("workspace.keep", json!({ "for_ms": span }))).await?;
    opened.tx.commit().await?;
    platform.workspaces.engine.keep_until(id, until);
    platform.workspaces.changed(id);
    Ok(show(platform, &opened.found))
}

/// Removes one in the recycle bin for good.
pub async fn purge(platform: &Platform, actor: &Actor, id: &WorkspaceId) -> Result<(), Fault> {
    let (action, operation) = right(Wish::Purge);
    let mut opened = Opened::write(platform, actor, id, action).await?;
    apply(opened.found.workspace.desired, Wish::Purge)?;
    let name = opened.found.workspace.name.clone();
    opened.audit(operation, "", json!({ "name": name })).await?;
    darter_store::workspace::condemn(&mut opened.tx, id).await?;
    opened.tx.commit().await?;
    super::purge::remove_for_good(platform, id).await
}
