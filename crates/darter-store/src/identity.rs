//! Accounts at other providers that are bound to accounts here.

use darter_core::{AccountId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// An account at a provider. `subject` is the provider's own, never changing name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub provider: String,
    pub subject: String,
    pub label: String,
    pub created_at: Millis,
}

/// Binds. One that is bound already, or a second of the same provider, is a duplicate.
pub async fn insert(db: &mut AnyConnection, account: &AccountId, identity: &Identity) -> Result<()> {
    sqlx::query("INSERT INTO identities (provider, subject, account, label, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(&identity.provider)
        .bind(&identity.subject)
        .bind(account.as_str())
        .bind(&identity.label)
        .bind(identity.created_at)
        .execute(db)
        .await?;
    Ok(())
}

/// For signing in: whose it is. The provider's word is the scope.
pub async fn owner(db: &mut AnyConnection, provider: &str, subject: &str) -> Result<Option<AccountId>> {
    let row: Option<(String,)> = sqlx::query_as("SELECT account FROM identities WHERE provider = $1 AND subject = $2")
        .bind(provider)
        .bind(subject)
        .fetch_optional(db)
        .await?;
    row.map(|(account,)| codec::id(account)).transpose()
}

/// An account's.
pub async fn list(db: &mut AnyConnection, account: &AccountId) -> Result<Vec<Identity>> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT provider, subject, label, created_at FROM identities WHERE account = $1 ORDER BY provider",
    )
    .bind(account.as_str())
    .fetch_all(db)
    .await?;
    let identity = |(provider, subject, label, created_at)| Identity { provider, subject, label, created_at };
    Ok(rows.into_iter().map(identity).collect())
}

/// Unbinds. False: there is none.
pub async fn remove(db: &mut AnyConnection, account: &AccountId, provider: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM identities WHERE account = $1 AND provider = $2")
        .bind(account.as_str())
        .bind(provider)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
