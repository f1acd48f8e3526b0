//! Secrets of apps, sealed. This crate never sees an opened one.

use darter_core::{AccountId, AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A secret without anything of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub name: String,
    pub updated_at: Millis,
    /// Name of the account; empty when it is gone.
    pub updated_by: String,
}

/// Names of an app's secrets.
pub async fn list(db: &mut AnyConnection, app: &AppId) -> Result<Vec<Secret>> {
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
        "SELECT s.name, s.updated_at, a.username FROM secrets s LEFT JOIN accounts a ON a.id = s.updated_by
         WHERE s.app = $1 ORDER BY s.name",
    )
    .bind(app.as_str())
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(name, updated_at, by)| Secret { name, updated_at, updated_by: by.unwrap_or_default() })
        .collect())
}

/// Names and sealed values, for starting an instance.
pub async fn sealed(db: &mut AnyConnection, app: &AppId) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as("SELECT name, sealed FROM secrets WHERE app = $1").bind(app.as_str()).fetch_all(db).await?)
}

/// How many an app has besides this one.
pub async fn count_others(db: &mut AnyConnection, app: &AppId, name: &str) -> Result<u32> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM secrets WHERE app = $1 AND name <> $2")
        .bind(app.as_str())
        .bind(name)
        .fetch_one(db)
        .await?;
    Ok(codec::count(count))
}

/// A sealed value to be kept.
#[derive(Debug, Clone)]
pub struct SealedSecret<'a> {
    pub name: &'a str,
    pub sealed: &'a str,
    pub updated_at: Millis,
    pub updated_by: &'a AccountId,
}

/// Sets one.
pub async fn set(db: &mut AnyConnection, app: &AppId, secret: &SealedSecret<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO secrets (app, name, sealed, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (app, name) DO UPDATE
         SET sealed = excluded.sealed, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )
    .bind(app.as_str())
    .bind(secret.name)
    .bind(secret.sealed)
    .bind(secret.updated_at)
    .bind(secret.updated_by.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Removes one. False: there is none.
pub async fn remove(db: &mut AnyConnection, app: &AppId, name: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM secrets WHERE app = $1 AND name = $2")
        .bind(app.as_str())
        .bind(name)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
