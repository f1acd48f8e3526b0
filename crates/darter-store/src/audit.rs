//! Who changed what. Entries are added, never changed.

use darter_core::{AppId, AuditId, Millis};
use sqlx::AnyConnection;

use crate::{Result, Scope, codec};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: AuditId,
    pub time: Millis,
    /// The account's id; empty: the server itself, or nobody signed in.
    pub actor: String,
    pub actor_name: String,
    pub operation: String,
    pub object: String,
    pub app: Option<AppId>,
    pub address: String,
    pub request_id: String,
    pub details: serde_json::Value,
}

type Row = (String, i64, String, String, String, String, Option<String>, String, String, String);

fn entry((id, time, actor, actor_name, operation, object, app, address, request_id, details): Row) -> Result<Entry> {
    Ok(Entry {
        id: codec::id(id)?,
        time,
        actor,
        actor_name,
        operation,
        object,
        app: app.map(codec::id).transpose()?,
        address,
        request_id,
        details: codec::json(&details)?,
    })
}

/// Adds an entry.
pub async fn insert(db: &mut AnyConnection, entry: &Entry) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit (id, time, actor, actor_name, operation, object, app, address, request_id, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(entry.id.as_str())
    .bind(entry.time)
    .bind(&entry.actor)
    .bind(&entry.actor_name)
    .bind(&entry.operation)
    .bind(&entry.object)
    .bind(entry.app.as_ref().map(AppId::as_str))
    .bind(&entry.address)
    .bind(&entry.request_id)
    .bind(codec::to_json(&entry.details)?)
    .execute(db)
    .await?;
    Ok(())
}

/// What an account did, what was done to an app, or everything; the newest first, before this id.
pub async fn list(
    db: &mut AnyConnection,
    scope: Scope<'_>,
    (before, limit): (Option<&AuditId>, u32),
) -> Result<Vec<Entry>> {
    let query = match scope {
        Scope::Account(account) => sqlx::query_as(
            "SELECT id, time, actor, actor_name, operation, object, app, address, request_id, details
             FROM audit WHERE actor = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(account.as_str()),
        Scope::App(app) => sqlx::query_as(
            "SELECT id, time, actor, actor_name, operation, object, app, address, request_id, details
             FROM audit WHERE app = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(app.as_str()),
        Scope::System => sqlx::query_as(
            "SELECT id, time, actor, actor_name, operation, object, app, address, request_id, details
             FROM audit WHERE $1 = '' AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(""),
    };
    let rows: Vec<Row> = query.bind(before.map_or("", AuditId::as_str)).bind(i64::from(limit)).fetch_all(db).await?;
    rows.into_iter().map(entry).collect()
}
