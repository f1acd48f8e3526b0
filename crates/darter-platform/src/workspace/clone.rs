//! A copy of a workspace: a new one of whoever asks, with the same environment and limits, and the home as it is now.
//!
//! Until its home is whole the new one is condemned: nobody sees it, and what a killed server leaves of it is swept up with
//! the recycle bin.

use std::sync::Arc;

use darter_api::workspace as api;
use darter_core::role::{Action, Role};
use darter_core::workspace::{Desired, desired};
use darter_core::{Fault, SnapshotId, WorkspaceId};
use darter_store::workspace::{MemberWorkspace, Workspace, condemn, update};
use darter_store::workspace_member;
use serde_json::json;

use super::access::{Opened, stale};
use super::create::insert;
use super::purge;
use super::snapshot::files_of;
use super::view::show;
use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// Copies. When the copy fails, nothing of the new workspace is left.
pub async fn clone(
    platform: &Arc<Platform>,
    actor: &Actor,
    id: &WorkspaceId,
    input: api::CloneWorkspace,
) -> Result<api::Workspace, Fault> {
    desired::validate_name(&input.name)?;
    let from: Option<SnapshotId> = input.snapshot.as_deref().map(str::parse).transpose()?;
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    let account = actor.require(darter_core::role::TokenScope::Write)?.clone();
    let now = platform.clock.now();
    let draft = Workspace {
        id: WorkspaceId::generate(&*platform.random),
        owner: account,
        name: input.name.trim().to_owned(),
        desired: Desired::Recycled,
        keep_until: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        used_at: now,
        recycled_at: Some(0),
        ..opened.found.workspace.clone()
    };
    let mut row = insert(platform, &mut opened.tx, draft).await?;
    condemn(&mut opened.tx, &row.id).await?;
    // Before the commit: from then on whoever looks for what is left over finds it.
    let filling = platform.workspaces.filling(&row.id, &row.owner);
    opened.tx.commit().await?;
    let filled = match fill(platform, (id, &row.id), from.as_ref()).await {
        Ok(()) => show_up(platform, actor, (&mut row, id)).await,
        failed => failed,
    };
    drop(filling);
    if let Err(fault) = filled {
        purge::remove_for_good(platform, &row.id).await?;
        return Err(fault);
    }
    let found =
        MemberWorkspace { role: Role::Owner, owner_name: actor.name().to_owned(), observed: None, workspace: row };
    platform.workspaces.hang(&found.workspace, &found.owner_name);
    Ok(show(platform, &found))
}

/// At rest the volume is copied; while it runs its files are read from inside.
async fn fill(
    platform: &Arc<Platform>,
    (from, to): (&WorkspaceId, &WorkspaceId),
    snapshot: Option<&SnapshotId>,
) -> Result<(), Fault> {
    let engine = &platform.workspaces.engine;
    if let Some(snapshot) = snapshot {
        let files = files_of(platform, (from, snapshot)).await?;
        return engine.replace(to, files).await;
    }
    match engine.copy_home(from, to).await {
        Err(fault) if matches!(fault.code, "workspace.awake" | "workspace.home_is_folder") => {
            let files = engine.export(from, None).await?;
            engine.replace(to, files).await
        }
        // One that has never run has nothing to copy.
        Err(fault) if fault.code == "workspace.home_missing" => Ok(()),
        copied => copied,
    }
}

/// Its home is whole: from here on it is a workspace like any other.
async fn show_up(platform: &Platform, actor: &Actor, (row, from): (&mut Workspace, &WorkspaceId)) -> Result<(), Fault> {
    row.desired = Desired::Asleep;
    row.recycled_at = None;
    row.revision += 1;
    let mut tx = platform.store.write().await?;
    if !update(&mut tx, row).await? {
        return Err(stale(row.revision));
    }
    workspace_member::set(&mut tx, &row.id, &row.owner, (Role::Owner, row.created_at)).await?;
    record(&mut tx, actor, Change::of("workspace.clone", &row.id, json!({ "from": from, "name": row.name }))).await?;
    Ok(tx.commit().await?)
}
