//! What the engine saw last of each workspace: apart from what its owner wants, and never the other way round.

use darter_core::{Millis, WorkspaceId};
use sqlx::AnyConnection;

use crate::Result;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRow {
    /// The engine's word for it.
    pub state: String,
    pub since: Millis,
    /// JSON: why it failed, how the last start went.
    pub detail: String,
    pub updated_at: Millis,
}

/// Writes what was seen. A workspace that is gone meanwhile is passed over; an older sight never replaces a newer one.
pub async fn put(db: &mut AnyConnection, workspace: &WorkspaceId, seen: &ObservedRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO workspace_observed (workspace, state, since, detail, updated_at)
         SELECT id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT) FROM workspaces WHERE id = $1
         ON CONFLICT (workspace) DO UPDATE SET state = excluded.state, since = excluded.since,
                detail = excluded.detail, updated_at = excluded.updated_at
         WHERE workspace_observed.updated_at <= excluded.updated_at",
    )
    .bind(workspace.as_str())
    .bind(&seen.state)
    .bind(seen.since)
    .bind(&seen.detail)
    .bind(seen.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// What was seen last of a workspace.
pub async fn get(db: &mut AnyConnection, workspace: &WorkspaceId) -> Result<Option<ObservedRow>> {
    let row: Option<(String, i64, String, i64)> =
        sqlx::query_as("SELECT state, since, detail, updated_at FROM workspace_observed WHERE workspace = $1")
            .bind(workspace.as_str())
            .fetch_optional(db)
            .await?;
    Ok(row.map(|(state, since, detail, updated_at)| ObservedRow { state, since, detail, updated_at }))
}

/// For the server itself, at its start: nothing runs, whatever was seen before. What failed stays failed. Returns how
/// many had been running.
pub async fn settle(db: &mut AnyConnection, now: Millis) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE workspace_observed SET state = 'stopped', since = $1, updated_at = $1
         WHERE state NOT IN ('stopped', 'failed')",
    )
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
