//! Environment variables of apps.

use darter_core::{AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: String,
    pub updated_at: Millis,
}

/// All of an app, by name.
pub async fn list(db: &mut AnyConnection, app: &AppId) -> Result<Vec<Variable>> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, value, updated_at FROM variables WHERE app = $1 ORDER BY name")
            .bind(app.as_str())
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().map(|(name, value, updated_at)| Variable { name, value, updated_at }).collect())
}

/// How many an app has besides this one.
pub async fn count_others(db: &mut AnyConnection, app: &AppId, name: &str) -> Result<u32> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM variables WHERE app = $1 AND name <> $2")
        .bind(app.as_str())
        .bind(name)
        .fetch_one(db)
        .await?;
    Ok(codec::count(count))
}

/// Sets one.
pub async fn set(db: &mut AnyConnection, app: &AppId, variable: &Variable) -> Result<()> {
    sqlx::query(
        "INSERT INTO variables (app, name, value, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (app, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(app.as_str())
    .bind(&variable.name)
    .bind(&variable.value)
    .bind(variable.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Removes one. False: there is none.
pub async fn remove(db: &mut AnyConnection, app: &AppId, name: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM variables WHERE app = $1 AND name = $2")
        .bind(app.as_str())
        .bind(name)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
