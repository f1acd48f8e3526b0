//! The index of snapshots: which there are, of what, and why. Their data is elsewhere, named by its content.

use darter_core::workspace::{EnvironmentName, SnapshotReason};
use darter_core::{Millis, SnapshotId, WorkspaceId};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A snapshot of a workspace's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub id: SnapshotId,
    pub workspace: WorkspaceId,
    pub reason: SnapshotReason,
    pub label: String,
    pub environment: EnvironmentName,
    pub files: u64,
    /// Of the files.
    pub bytes: u64,
    /// Of what was not stored before.
    pub stored_bytes: u64,
    /// Digest of the manifest.
    pub manifest: String,
    /// The account; empty: the server itself.
    pub created_by: String,
    pub created_at: Millis,
}

type Row = (String, String, String, String, String, i64, i64, i64, String, String, i64);

fn snapshot(
    (id, workspace, reason, label, environment, files, bytes, stored, manifest, by, at): Row,
) -> Result<Snapshot> {
    Ok(Snapshot {
        id: codec::id(id)?,
        workspace: codec::id(workspace)?,
        reason: codec::word(&reason)?,
        label,
        environment: codec::id(environment)?,
        files: u64::try_from(files).unwrap_or(0),
        bytes: u64::try_from(bytes).unwrap_or(0),
        stored_bytes: u64::try_from(stored).unwrap_or(0),
        manifest,
        created_by: by,
        created_at: at,
    })
}

fn big(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Adds a snapshot whose data is complete.
pub async fn insert(db: &mut AnyConnection, snapshot: &Snapshot) -> Result<()> {
    sqlx::query(
        "INSERT INTO snapshots (id, workspace, reason, label, environment, files, bytes, stored_bytes, manifest, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(snapshot.id.as_str())
    .bind(snapshot.workspace.as_str())
    .bind(codec::to_word(&snapshot.reason)?)
    .bind(&snapshot.label)
    .bind(snapshot.environment.as_str())
    .bind(big(snapshot.files))
    .bind(big(snapshot.bytes))
    .bind(big(snapshot.stored_bytes))
    .bind(&snapshot.manifest)
    .bind(&snapshot.created_by)
    .bind(snapshot.created_at)
    .execute(db)
    .await?;
    Ok(())
}

/// A workspace's snapshots before this id, the newest first.
pub async fn list(db: &mut AnyConnection, workspace: &WorkspaceId, before: &str, limit: u32) -> Result<Vec<Snapshot>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, workspace, reason, label, environment, files, bytes, stored_bytes, manifest, created_by, created_at
         FROM snapshots WHERE workspace = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(workspace.as_str())
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(snapshot).collect()
}

/// One of a workspace's.
pub async fn lookup(db: &mut AnyConnection, workspace: &WorkspaceId, id: &SnapshotId) -> Result<Option<Snapshot>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, workspace, reason, label, environment, files, bytes, stored_bytes, manifest, created_by, created_at
         FROM snapshots WHERE workspace = $1 AND id = $2",
    )
    .bind(workspace.as_str())
    .bind(id.as_str())
    .fetch_optional(db)
    .await?;
    row.map(snapshot).transpose()
}

/// Takes one of a workspace's away. False: there is none.
pub async fn remove(db: &mut AnyConnection, workspace: &WorkspaceId, id: &SnapshotId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM snapshots WHERE workspace = $1 AND id = $2")
        .bind(workspace.as_str())
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// For the server itself: workspaces that were used since their last snapshot, which is older than this.
pub async fn due(db: &mut AnyConnection, before: Millis, limit: u32) -> Result<Vec<WorkspaceId>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT w.id FROM workspaces w JOIN workspace_observed o ON o.workspace = w.id
         WHERE w.desired <> 'recycled' AND o.state <> 'failed'
           AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.workspace = w.id AND s.created_at > $1)
           AND (o.state <> 'stopped'
                OR NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.workspace = w.id AND s.created_at >= o.since))
         ORDER BY w.id LIMIT $2",
    )
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|(id,)| codec::id(id)).collect()
}
