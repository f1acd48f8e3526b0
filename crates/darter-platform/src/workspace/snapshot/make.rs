//! Making snapshots: when somebody asks, by the timetable, and before risky steps. The data first, then the row: what has
//! no row is swept away.

use std::collections::BTreeSet;
use std::sync::Arc;

use darter_api::workspace as api;
use darter_core::role::{Action, TokenScope};
use darter_core::workspace::SnapshotReason;
use darter_core::{Fault, SnapshotId, WorkspaceId};
use darter_store::snapshot::{self, Snapshot};
use darter_store::workspace as store;
use serde_json::json;

use super::manifest::Manifest;
use super::pack::Packer;
use super::take::take;
use super::vault::Part;
use crate::audit::{Change, record};
use crate::workspace::access::{Opened, not_found};
use crate::workspace::config::millis;
use crate::{Actor, Platform};

/// Longest label, in characters.
const LABEL_LIMIT: usize = 100;
/// With more files than this, what is known of them is larger than what it would save.
const KNOWN: usize = 50_000;
/// Snapshots of the timetable in one round.
const ROUND: u32 = 20;
/// Rows that are looked at for what may go.
const MOST: u32 = 10_000;

/// For whoever asks.
pub async fn make(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    input: api::CreateSnapshot,
) -> Result<api::Snapshot, Fault> {
    let label = input.label.unwrap_or_default().trim().to_owned();
    if label.chars().count() > LABEL_LIMIT || label.chars().any(char::is_control) {
        let message = "A snapshot's label has at most 100 characters and no control characters.";
        return Err(Fault::invalid("snapshot.label_invalid", message));
    }
    Opened::read_as(platform, actor, id, (Action::Edit, TokenScope::Write)).await?;
    let row = snap(platform, actor, id, (SnapshotReason::Manual, label)).await?;
    Ok(super::shown(&row))
}

/// Before a risky step. What cannot be saved stops the step: that is what it is for.
pub(crate) async fn before(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    reason: SnapshotReason,
) -> Result<(), Fault> {
    snap(platform, actor, id, (reason, String::new())).await.map(|_| ())
}

/// By the timetable: what was used since its last one. Returns how many were made.
pub async fn make_due(platform: &Arc<Platform>) -> Result<usize, Fault> {
    let every = platform.config.workspaces.snapshot_every_ms;
    if every == 0 {
        return Ok(0);
    }
    let before = platform.clock.now() - millis(every);
    let due = snapshot::due(&mut *platform.store.read().await?, before, ROUND).await?;
    let mut made = 0;
    for id in due {
        match snap(platform, &Actor::server(), &id, (SnapshotReason::Timetable, String::new())).await {
            Ok(_) => made += 1,
            Err(fault) => {
                tracing::warn!(workspace = %id, %fault, cause = ?fault.cause, "a snapshot was not made; it is tried again");
            }
        }
    }
    Ok(made)
}

async fn snap(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    (reason, label): (SnapshotReason, String),
) -> Result<Snapshot, Fault> {
    let vault = &platform.workspaces.vault;
    let _alone = vault.lock(id).await;
    let (workspace, last) = {
        let mut tx = platform.store.read().await?;
        let (workspace, _) = store::find(&mut tx, id).await?.ok_or_else(not_found)?;
        (workspace, snapshot::list(&mut tx, id, "", 1).await?.pop())
    };
    let known = match &last {
        // One that cannot be read costs only that everything is sent again.
        Some(last) => Manifest::load(vault, id, &last.manifest).await.unwrap_or_default(),
        None => Manifest::default(),
    };
    let known = if known.items.len() > KNOWN { Manifest::default() } else { known };
    let index = if known.items.is_empty() { None } else { Some(known.index()?) };
    let stream = platform.workspaces.engine.export(id, index).await?;
    let mut packer = Packer::new(vault, id);
    let most = workspace.limits.disk_bytes.saturating_mul(4);
    let taken = take(stream, (&known, most), &mut packer).await?;
    let (manifest, size) = taken.manifest.save(vault, id).await?;
    let now = platform.clock.now();
    let row = Snapshot {
        id: SnapshotId::generate(now, &*platform.random),
        workspace: id.clone(),
        reason,
        label,
        environment: workspace.environment,
        files: taken.files,
        bytes: taken.bytes,
        stored_bytes: packer.stored + size,
        manifest,
        created_by: actor.person().map(|person| person.account.to_string()).unwrap_or_default(),
        created_at: now,
    };
    keep(platform, actor, &row).await?;
    Ok(row)
}

/// Writes the row, and lets go of those of the server's own that are too many.
async fn keep(platform: &Platform, actor: &Actor, row: &Snapshot) -> Result<(), Fault> {
    let id = &row.workspace;
    let mut tx = platform.store.write().await?;
    snapshot::insert(&mut tx, row).await?;
    let all = snapshot::list(&mut tx, id, "", MOST).await?;
    let own = all.iter().filter(|one| one.reason != SnapshotReason::Manual);
    let old: Vec<&Snapshot> = own.skip(platform.config.workspaces.snapshots_keep as usize).collect();
    for one in &old {
        snapshot::remove(&mut tx, id, &one.id).await?;
    }
    let object = format!("{id}/{}", row.id);
    record(&mut tx, actor, Change::of("snapshot.create", object, json!({ "reason": row.reason }))).await?;
    tx.commit().await?;
    if old.is_empty() { Ok(()) } else { sweep(platform, id).await }
}

/// Removes data that no snapshot needs any more. Whoever calls holds the lock.
pub(super) async fn sweep(platform: &Platform, id: &WorkspaceId) -> Result<(), Fault> {
    let vault = &platform.workspaces.vault;
    let rows = snapshot::list(&mut *platform.store.read().await?, id, "", MOST).await?;
    let manifests: BTreeSet<String> = rows.iter().map(|row| row.manifest.clone()).collect();
    let mut chunks = BTreeSet::new();
    for name in &manifests {
        // A manifest that cannot be read may need anything: then nothing goes.
        chunks.extend(Manifest::load(vault, id, name).await?.chunks());
    }
    vault.sweep(id, Part::Manifest, manifests).await.map_err(Fault::internal)?;
    vault.sweep(id, Part::Chunk, chunks).await.map_err(Fault::internal)
}
