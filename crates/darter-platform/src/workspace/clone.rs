//! A copy of a workspace: a new one of whoever asks, with the same environment and limits, and the home as it is now.

use std::sync::Arc;

use darter_api::workspace as api;
use darter_core::role::{Action, Role};
use darter_core::workspace::{Desired, desired};
use darter_core::{Fault, SnapshotId, WorkspaceId};
use darter_store::workspace::{MemberWorkspace, Workspace};
use serde_json::json;

use super::access::Opened;
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
        desired: Desired::Asleep,
        keep_until: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        used_at: now,
        recycled_at: None,
        ..opened.found.workspace.clone()
    };
    let row = insert(platform, &mut opened.tx, draft).await?;
    record(&mut opened.tx, actor, Change::of("workspace.clone", &row.id, json!({ "from": id, "name": row.name })))
        .await?;
    opened.tx.commit().await?;
    if let Err(fault) = fill(platform, (id, &row.id), from.as_ref()).await {
        give_up(platform, row).await?;
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
        engine.import(to, files).await?;
        return engine.stop(to).await;
    }
    match engine.copy_home(from, to).await {
        Err(fault) if matches!(fault.code, "workspace.awake" | "workspace.home_is_folder") => {
            let files = engine.export(from, None).await?;
            engine.import(to, files).await?;
            engine.stop(to).await
        }
        // One that has never run has nothing to copy.
        Err(fault) if fault.code == "workspace.home_missing" => Ok(()),
        copied => copied,
    }
}

async fn give_up(platform: &Platform, mut row: Workspace) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    row.desired = Desired::Recycled;
    row.recycled_at = Some(0);
    row.revision += 1;
    darter_store::workspace::update(&mut tx, &row).await?;
    darter_store::workspace::condemn(&mut tx, &row.id).await?;
    tx.commit().await?;
    purge::remove_for_good(platform, &row.id).await
}
