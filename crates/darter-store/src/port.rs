//! What a workspace's owner decided about its ports, and the links that open one. A port without a row is private and HTTP.

use darter_core::workspace::port::{Protocol, Visibility};
use darter_core::{AccountId, Millis, ShareId, WorkspaceId};
use sqlx::AnyConnection;

use crate::{Result, StoreError, codec};

/// A decision about a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    pub port: u16,
    pub visibility: Visibility,
    pub protocol: Protocol,
    pub updated_at: Millis,
}

/// A link that opens one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub id: ShareId,
    pub workspace: WorkspaceId,
    pub port: u16,
    pub created_by: AccountId,
    pub created_at: Millis,
    pub expires_at: Millis,
}

type Row = (i64, String, String, i64);
type ShareRow = (String, String, i64, String, i64, i64);

fn number(value: i64) -> Result<u16> {
    u16::try_from(value).map_err(|_| StoreError::damaged("port", &value.to_string()))
}

fn port((port, visibility, protocol, updated_at): Row) -> Result<Port> {
    let (visibility, protocol) = (codec::word(&visibility)?, codec::word(&protocol)?);
    Ok(Port { port: number(port)?, visibility, protocol, updated_at })
}

fn share((id, workspace, port, created_by, created_at, expires_at): ShareRow) -> Result<Share> {
    let (id, workspace, created_by) = (codec::id(id)?, codec::id(workspace)?, codec::id(created_by)?);
    Ok(Share { id, workspace, port: number(port)?, created_by, created_at, expires_at })
}

/// A workspace's decisions, by port.
pub async fn list(db: &mut AnyConnection, workspace: &WorkspaceId) -> Result<Vec<Port>> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT port, visibility, protocol, updated_at FROM ports WHERE workspace = $1 ORDER BY port")
            .bind(workspace.as_str())
            .fetch_all(db)
            .await?;
    rows.into_iter().map(port).collect()
}

/// The decision about one port.
pub async fn lookup(db: &mut AnyConnection, workspace: &WorkspaceId, wanted: u16) -> Result<Option<Port>> {
    let row: Option<Row> =
        sqlx::query_as("SELECT port, visibility, protocol, updated_at FROM ports WHERE workspace = $1 AND port = $2")
            .bind(workspace.as_str())
            .bind(i64::from(wanted))
            .fetch_optional(db)
            .await?;
    row.map(port).transpose()
}

/// Decides about a port.
pub async fn set(db: &mut AnyConnection, workspace: &WorkspaceId, port: &Port) -> Result<()> {
    sqlx::query(
        "INSERT INTO ports (workspace, port, visibility, protocol, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (workspace, port) DO UPDATE SET visibility = excluded.visibility, protocol = excluded.protocol,
                updated_at = excluded.updated_at",
    )
    .bind(workspace.as_str())
    .bind(i64::from(port.port))
    .bind(codec::to_word(&port.visibility)?)
    .bind(codec::to_word(&port.protocol)?)
    .bind(port.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a decision back. False: there was none.
pub async fn remove(db: &mut AnyConnection, workspace: &WorkspaceId, port: u16) -> Result<bool> {
    let done = sqlx::query("DELETE FROM ports WHERE workspace = $1 AND port = $2")
        .bind(workspace.as_str())
        .bind(i64::from(port))
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// For the server itself: every decision, for the doors in memory.
pub async fn everywhere(db: &mut AnyConnection) -> Result<Vec<(WorkspaceId, Port)>> {
    let rows: Vec<(String, i64, String, String, i64)> =
        sqlx::query_as("SELECT workspace, port, visibility, protocol, updated_at FROM ports").fetch_all(db).await?;
    rows.into_iter().map(|(id, a, b, c, d)| Ok((codec::id(id)?, port((a, b, c, d))?))).collect()
}

/// Adds a link under the digest of its secret.
pub async fn insert_share(db: &mut AnyConnection, share: &Share, secret: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO port_shares (id, workspace, port, secret, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(share.id.as_str())
    .bind(share.workspace.as_str())
    .bind(i64::from(share.port))
    .bind(secret)
    .bind(share.created_by.as_str())
    .bind(share.created_at)
    .bind(share.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// A workspace's links that have not ended, the newest first.
pub async fn shares(db: &mut AnyConnection, workspace: &WorkspaceId, now: Millis) -> Result<Vec<Share>> {
    let rows: Vec<ShareRow> = sqlx::query_as(
        "SELECT id, workspace, port, created_by, created_at, expires_at
         FROM port_shares WHERE workspace = $1 AND expires_at > $2 ORDER BY id DESC LIMIT 1000",
    )
    .bind(workspace.as_str())
    .bind(now)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(share).collect()
}

/// The link of this workspace with this secret's digest, when it has not ended.
pub async fn share_by_secret(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    secret: &str,
    now: Millis,
) -> Result<Option<Share>> {
    let row: Option<ShareRow> = sqlx::query_as(
        "SELECT id, workspace, port, created_by, created_at, expires_at
         FROM port_shares WHERE workspace = $1 AND secret = $2 AND expires_at > $3",
    )
    .bind(workspace.as_str())
    .bind(secret)
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.map(share).transpose()
}

/// A workspace's link, when it has not ended.
pub async fn share_by_id(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    id: &ShareId,
    now: Millis,
) -> Result<Option<Share>> {
    let row: Option<ShareRow> = sqlx::query_as(
        "SELECT id, workspace, port, created_by, created_at, expires_at
         FROM port_shares WHERE workspace = $1 AND id = $2 AND expires_at > $3",
    )
    .bind(workspace.as_str())
    .bind(id.as_str())
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.map(share).transpose()
}

/// Takes a link away. False: there is none.
pub async fn remove_share(db: &mut AnyConnection, workspace: &WorkspaceId, id: &ShareId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM port_shares WHERE workspace = $1 AND id = $2")
        .bind(workspace.as_str())
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// For the server itself: removes links that have ended.
pub async fn sweep(db: &mut AnyConnection, now: Millis) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM port_shares WHERE expires_at <= $1").bind(now).execute(db).await?.rows_affected())
}
