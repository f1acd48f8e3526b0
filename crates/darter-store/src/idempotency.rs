//! Answers to creations that carried a key, so that a repeated request gets the same one.

use darter_core::{AccountId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Of method, path and body.
    pub digest: String,
    /// 0: the first request is still at work, or died there.
    pub status: u16,
    pub answer: String,
    pub created_at: Millis,
}

/// Claims a key for a request. False: it is known already.
pub async fn claim(
    db: &mut AnyConnection,
    account: &AccountId,
    (name, digest): (&str, &str),
    now: Millis,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO idempotency (account, name, digest, status, answer, created_at) VALUES ($1, $2, $3, 0, '', $4)
         ON CONFLICT (account, name) DO NOTHING",
    )
    .bind(account.as_str())
    .bind(name)
    .bind(digest)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What is known of an account's key.
pub async fn lookup(db: &mut AnyConnection, account: &AccountId, name: &str) -> Result<Option<Kept>> {
    let row: Option<(String, i64, String, i64)> =
        sqlx::query_as("SELECT digest, status, answer, created_at FROM idempotency WHERE account = $1 AND name = $2")
            .bind(account.as_str())
            .bind(name)
            .fetch_optional(db)
            .await?;
    let kept = |(digest, status, answer, created_at)| Kept {
        digest,
        status: u16::try_from(codec::count(status)).unwrap_or(0),
        answer,
        created_at,
    };
    Ok(row.map(kept))
}

/// Keeps the answer of a claimed key.
pub async fn keep(
    db: &mut AnyConnection,
    account: &AccountId,
    name: &str,
    (status, answer): (u16, &str),
) -> Result<()> {
    sqlx::query("UPDATE idempotency SET status = $1, answer = $2 WHERE account = $3 AND name = $4 AND status = 0")
        .bind(i64::from(status))
        .bind(answer)
        .bind(account.as_str())
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

/// Lets go of a key whose request came to nothing.
pub async fn release(db: &mut AnyConnection, account: &AccountId, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM idempotency WHERE account = $1 AND name = $2")
        .bind(account.as_str())
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

/// For the server itself: removes keys from before a time.
pub async fn sweep(db: &mut AnyConnection, before: Millis) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM idempotency WHERE created_at < $1").bind(before).execute(db).await?.rows_affected())
}
