//! One-use tokens to choose a new password. Only their digests are here.

use darter_core::{AccountId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// Adds one for an account, under the digest of its token. Those before it end.
pub async fn insert(db: &mut AnyConnection, account: &AccountId, secret: &str, expires_at: Millis) -> Result<()> {
    remove_all(db, account).await?;
    sqlx::query("INSERT INTO password_resets (secret, account, expires_at) VALUES ($1, $2, $3)")
        .bind(secret)
        .bind(account.as_str())
        .bind(expires_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Is there such a one? The token is the scope.
pub async fn exists(db: &mut AnyConnection, secret: &str, now: Millis) -> Result<bool> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM password_resets WHERE secret = $1 AND expires_at > $2")
        .bind(secret)
        .bind(now)
        .fetch_one(db)
        .await?;
    Ok(count == 1)
}

/// Uses one up: whose it was. The token is the scope.
pub async fn take(db: &mut AnyConnection, secret: &str, now: Millis) -> Result<Option<AccountId>> {
    let row: Option<(String,)> =
        sqlx::query_as("DELETE FROM password_resets WHERE secret = $1 AND expires_at > $2 RETURNING account")
            .bind(secret)
            .bind(now)
            .fetch_optional(db)
            .await?;
    row.map(|(account,)| codec::id(account)).transpose()
}

/// Ends all of an account's.
pub async fn remove_all(db: &mut AnyConnection, account: &AccountId) -> Result<()> {
    sqlx::query("DELETE FROM password_resets WHERE account = $1").bind(account.as_str()).execute(db).await?;
    Ok(())
}

/// For the server itself: removes those that ended.
pub async fn sweep(db: &mut AnyConnection, now: Millis) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM password_resets WHERE expires_at <= $1").bind(now).execute(db).await?.rows_affected())
}
