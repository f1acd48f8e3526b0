//! Settings of the whole server that an administrator can change while it runs.

use sqlx::AnyConnection;

use crate::{Result, StoreError};

/// A setting's JSON. It exists: the migration makes every one.
pub async fn get(db: &mut AnyConnection, name: &str) -> Result<String> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT value FROM settings WHERE name = $1").bind(name).fetch_optional(db).await?;
    row.map(|(value,)| value).ok_or_else(|| StoreError::damaged("settings.name", name))
}

/// An administrator's choice.
pub async fn choose(db: &mut AnyConnection, name: &str, value: &str) -> Result<()> {
    sqlx::query("UPDATE settings SET value = $1, chosen = 1 WHERE name = $2")
        .bind(value)
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

/// The configuration's value, which counts until an administrator chooses.
pub async fn suggest(db: &mut AnyConnection, name: &str, value: &str) -> Result<()> {
    sqlx::query("UPDATE settings SET value = $1 WHERE name = $2 AND chosen = 0")
        .bind(value)
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

/// Makes this transaction wait for, and keep out, every other that calls this.
pub async fn lock(db: &mut AnyConnection) -> Result<()> {
    sqlx::query("UPDATE settings SET value = value WHERE name = 'lock'").execute(db).await?;
    Ok(())
}
