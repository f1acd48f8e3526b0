//! Personal access tokens. Only the digest of a token's secret is here.

use darter_core::role::TokenScope;
use darter_core::{AccountId, Millis, TokenId};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A token's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub account: AccountId,
    pub name: String,
    pub hint: String,
    pub scopes: Vec<TokenScope>,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    pub last_used_at: Option<Millis>,
}

type Row = (String, String, String, String, String, i64, Option<i64>, Option<i64>);

fn token((id, account, name, hint, scopes, created_at, expires_at, last_used_at): Row) -> Result<Token> {
    let (id, account, scopes) = (codec::id(id)?, codec::id(account)?, codec::json(&scopes)?);
    Ok(Token { id, account, name, hint, scopes, created_at, expires_at, last_used_at })
}

/// Adds a token under the digest of its secret.
pub async fn insert(db: &mut AnyConnection, token: &Token, secret: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO tokens (id, account, name, secret, hint, scopes, created_at, expires_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(token.id.as_str())
    .bind(token.account.as_str())
    .bind(&token.name)
    .bind(secret)
    .bind(&token.hint)
    .bind(codec::to_json(&token.scopes)?)
    .bind(token.created_at)
    .bind(token.expires_at)
    .bind(token.last_used_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The token with this secret's digest, when it has not ended: the secret is the scope.
pub async fn by_secret(db: &mut AnyConnection, secret: &str, now: Millis) -> Result<Option<Token>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, account, name, hint, scopes, created_at, expires_at, last_used_at
         FROM tokens WHERE secret = $1 AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(secret)
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.map(token).transpose()
}

/// An account's, the newest first; those that ended too, so that a person sees why something stopped working.
pub async fn list(db: &mut AnyConnection, account: &AccountId) -> Result<Vec<Token>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, account, name, hint, scopes, created_at, expires_at, last_used_at
         FROM tokens WHERE account = $1 ORDER BY id DESC LIMIT 200",
    )
    .bind(account.as_str())
    .fetch_all(db)
    .await?;
    rows.into_iter().map(token).collect()
}

/// How many an account has.
pub async fn count(db: &mut AnyConnection, account: &AccountId) -> Result<u32> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM tokens WHERE account = $1").bind(account.as_str()).fetch_one(db).await?;
    Ok(codec::count(count))
}

/// Notes a use. Times only go forward.
pub async fn used(db: &mut AnyConnection, account: &AccountId, id: &TokenId, now: Millis) -> Result<()> {
    sqlx::query("UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND account = $3 AND (last_used_at IS NULL OR last_used_at < $1)")
        .bind(now)
        .bind(id.as_str())
        .bind(account.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// Takes one of an account's away. False: there is none.
pub async fn remove(db: &mut AnyConnection, account: &AccountId, id: &TokenId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM tokens WHERE id = $1 AND account = $2")
        .bind(id.as_str())
        .bind(account.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
