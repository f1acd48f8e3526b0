//! Making snapshots: when somebody asks, by the timetable, and before risky steps. The data first, then the row: what has
//! no row is swept away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use darter_api::workspace as api;
use darter_core::role::{Action, TokenScope};
use darter_core::workspace::SnapshotReason;
use darter_core::{Fault, Kind, SnapshotId, WorkspaceId};
use darter_store::snapshot::{self, Snapshot};
use darter_store::workspace as store;
use futures_util::stream::{self, StreamExt};
use serde_json::json;

use super::manifest::Manifest;
use super::pack::Packer;
use super::take::take;
use super::unkept;
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
/// Snapshots that somebody asked for, of one workspace.
const BY_HAND: usize = 50;
/// Longest that one may take, and one of the timetable, whose round others wait for.
const LONGEST: Duration = Duration::from_secs(3_600);
const LONGEST_OF_A_ROUND: Duration = Duration::from_secs(900);
/// Of the timetable at a time.
const AT_ONCE: usize = 3;
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
    let mut opened = Opened::read_as(platform, actor, id, (Action::Edit, TokenScope::Write)).await?;
    check_room(&snapshot::list(&mut opened.tx, id, "", MOST).await?)?;
    drop(opened);
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
    let made = stream::iter(due).map(|id| one_of_the_timetable(platform, id)).buffer_unordered(AT_ONCE);
    Ok(made.filter(|made| std::future::ready(*made)).count().await)
}

async fn one_of_the_timetable(platform: &Platform, id: WorkspaceId) -> bool {
    let server = Actor::server();
    let snap = snap(platform, &server, &id, (SnapshotReason::Timetable, String::new()));
    let made = tokio::time::timeout(LONGEST_OF_A_ROUND, snap).await.unwrap_or_else(|_| Err(slow()));
    if let Err(fault) = &made {
        tracing::warn!(workspace = %id, %fault, cause = ?fault.cause, "a snapshot was not made; it is tried again");
    }
    made.is_ok()
}

fn slow() -> Fault {
    let message = "The workspace took too long to send its files, so no snapshot was made. Try again.";
    Fault::new(Kind::Timeout, "snapshot.slow", message)
}

/// Those that somebody asked for stay until somebody lets them go.
fn check_room(all: &[Snapshot]) -> Result<(), Fault> {
    if all.iter().filter(|one| one.reason == SnapshotReason::Manual).count() < BY_HAND {
        return Ok(());
    }
    let message =
        format!("This workspace has {BY_HAND} snapshots that somebody asked for, which is the most. Delete one first.");
    Err(Fault::conflict("snapshot.too_many", message).with("allowed", BY_HAND as u64))
}

async fn snap(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    why: (SnapshotReason, String),
) -> Result<Snapshot, Fault> {
    tokio::time::timeout(LONGEST, alone(platform, actor, id, why)).await.unwrap_or_else(|_| Err(slow()))
}

async fn alone(
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
        Some(last) => {
            let loaded = Manifest::load(vault, id, &last.manifest).await;
            loaded.and_then(Manifest::held_for_long).unwrap_or_default()
        }
        None => Manifest::default(),
    };
    let known = if known.items.len() > KNOWN { Manifest::default() } else { known };
    let index = if known.items.is_empty() { None } else { Some(known.index()?) };
    let stream = platform.workspaces.engine.export(id, index).await?;
    let mut packer = Packer::new(vault, id);
    // More than fits: files may change while they are read, and the limit of a home that is a folder is soft.
    let most = workspace.limits.disk_bytes.saturating_mul(2);
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
    if !old.is_empty()
        && let Err(fault) = sweep(platform, id).await
    {
        // The snapshot is made all the same; what is left over goes with the next sweep.
        tracing::warn!(workspace = %id, %fault, cause = ?fault.cause, "data of old snapshots could not be removed");
    }
    Ok(())
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
    vault.sweep(id, Part::Manifest, manifests).await.map_err(unkept)?;
    vault.sweep(id, Part::Chunk, chunks).await.map_err(unkept)
}
