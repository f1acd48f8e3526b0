//! Signed-in browsers. Only the digest of a session's secret is here.

use darter_core::{AccountId, Millis, SessionId};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A session's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub account: AccountId,
    pub created_at: Millis,
    pub last_used_at: Millis,
    pub expires_at: Millis,
    pub user_agent: String,
    pub address: String,
}

type Row = (String, String, i64, i64, i64, String, String);

fn session((id, account, created_at, last_used_at, expires_at, user_agent, address): Row) -> Result<Session> {
    Ok(Session {
        id: codec::id(id)?,
        account: codec::id(account)?,
        created_at,
        last_used_at,
        expires_at,
        user_agent,
        address,
    })
}

/// Adds a session under the digest of its secret.
pub async fn insert(db: &mut AnyConnection, session: &Session, secret: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO sessions (id, account, secret, created_at, last_used_at, expires_at, user_agent, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(session.id.as_str())
    .bind(session.account.as_str())
    .bind(secret)
    .bind(session.created_at)
    .bind(session.last_used_at)
    .bind(session.expires_at)
    .bind(&session.user_agent)
    .bind(&session.address)
    .execute(db)
    .await?;
    Ok(())
}

/// The session with this secret's digest, when it has not ended: the secret is the scope.
pub async fn by_secret(db: &mut AnyConnection, secret: &str, now: Millis) -> Result<Option<Session>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, account, created_at, last_used_at, expires_at, user_agent, address
         FROM sessions WHERE secret = $1 AND expires_at > $2",
    )
    .bind(secret)
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.map(session).transpose()
}

/// An account's, the one used last first.
pub async fn list(db: &mut AnyConnection, account: &AccountId, now: Millis) -> Result<Vec<Session>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, account, created_at, last_used_at, expires_at, user_agent, address
         FROM sessions WHERE account = $1 AND expires_at > $2 ORDER BY last_used_at DESC, id DESC LIMIT 200",
    )
    .bind(account.as_str())
    .bind(now)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(session).collect()
}

/// Notes a use and moves the end. Times only go forward.
pub async fn used(
    db: &mut AnyConnection,
    account: &AccountId,
    id: &SessionId,
    (now, expires_at): (Millis, Millis),
) -> Result<()> {
    sqlx::query(
        "UPDATE sessions SET last_used_at = $1, expires_at = $2 WHERE id = $3 AND account = $4 AND last_used_at < $1",
    )
    .bind(now)
    .bind(expires_at)
    .bind(id.as_str())
    .bind(account.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Ends one of an account's. False: there is none.
pub async fn remove(db: &mut AnyConnection, account: &AccountId, id: &SessionId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM sessions WHERE id = $1 AND account = $2")
        .bind(id.as_str())
        .bind(account.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all of an account's, but for one.
pub async fn remove_others(db: &mut AnyConnection, account: &AccountId, keep: Option<&SessionId>) -> Result<u64> {
    let done = sqlx::query("DELETE FROM sessions WHERE account = $1 AND id <> $2")
        .bind(account.as_str())
        .bind(keep.map_or("", SessionId::as_str))
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Keeps only the newest of an account's.
pub async fn trim(db: &mut AnyConnection, account: &AccountId, keep: u32) -> Result<()> {
    sqlx::query(
        "DELETE FROM sessions WHERE account = $1 AND id NOT IN
            (SELECT id FROM sessions WHERE account = $1 ORDER BY last_used_at DESC, id DESC LIMIT $2)",
    )
    .bind(account.as_str())
    .bind(i64::from(keep))
    .execute(db)
    .await?;
    Ok(())
}

/// For the server itself: removes those that ended.
pub async fn sweep(db: &mut AnyConnection, now: Millis) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now).execute(db).await?.rows_affected())
}
