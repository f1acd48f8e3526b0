//! What the editor's own page asks of the platform: what happens next, and to be kept awake. Whoever asks has been let in
//! already, with an editor's right; a page learns nothing here that the workspace itself does not know.

use darter_core::role::Role;
use darter_core::workspace::Desired;
use darter_core::workspace::desired::recycled;
use darter_core::{Fault, WorkspaceId};
use darter_store::workspace::MemberWorkspace;
use darter_store::{workspace, workspace_observed};
use serde_json::json;

use crate::audit::{Change, record};
use crate::workspace::access::not_found;
use crate::workspace::config::millis;
use crate::workspace::view::show;
use crate::{Actor, Platform};

/// State, what happens next and why, as JSON.
pub async fn status(platform: &Platform, id: &WorkspaceId) -> Result<String, Fault> {
    let mut tx = platform.store.read().await?;
    let (row, owner_name) = workspace::find(&mut tx, id).await?.ok_or_else(not_found)?;
    let observed = workspace_observed::get(&mut tx, id).await?;
    let found = MemberWorkspace { workspace: row, role: Role::Editor, owner_name, observed };
    let shown = show(platform, &found);
    let said = json!({
        "id": shown.id, "name": shown.name, "depth": shown.depth, "environment": shown.environment,
        "observed": shown.observed, "next": shown.next, "keep_until": shown.keep_until, "usage": shown.usage,
        "now": platform.clock.now(),
    });
    Ok(said.to_string())
}

/// Does not let it go to rest for so many minutes.
pub async fn keep(platform: &Platform, id: &WorkspaceId, minutes: u32) -> Result<String, Fault> {
    let span = (u64::from(minutes) * 60_000).min(platform.config.workspaces.keep_most_ms);
    let until = (span > 0).then(|| platform.clock.now().saturating_add(millis(span)));
    let mut tx = platform.store.write().await?;
    let (mut row, _) = workspace::find(&mut tx, id).await?.ok_or_else(not_found)?;
    if row.desired == Desired::Recycled {
        return Err(recycled());
    }
    row.keep_until = until;
    row.revision += 1;
    workspace::update(&mut tx, &row).await?;
    record(&mut tx, &Actor::server(), Change::of("workspace.keep", id, json!({ "for_ms": span, "how": "its page" })))
        .await?;
    tx.commit().await?;
    platform.workspaces.engine.keep_until(id, until);
    platform.workspaces.changed(id);
    status(platform, id).await
}
