//! SSH public keys of accounts. Whose a key is that somebody signed with is asked together with the workspace that they
//! want to enter: the key alone names nobody.

use darter_core::role::Role;
use darter_core::{AccountId, Millis, SshKeyId, WorkspaceId};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A key's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    pub id: SshKeyId,
    pub account: AccountId,
    pub name: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// As OpenSSH writes it, without a comment.
    pub public_key: String,
    pub created_at: Millis,
    pub last_used_at: Option<Millis>,
}

/// Somebody who has a key and is a member of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub key: SshKeyId,
    pub account: AccountId,
    pub username: String,
    pub administrator: bool,
    pub role: Role,
}

type Row = (String, String, String, String, String, i64, Option<i64>);

fn ssh_key((id, account, name, fingerprint, public_key, created_at, last_used_at): Row) -> Result<SshKey> {
    let (id, account) = (codec::id(id)?, codec::id(account)?);
    Ok(SshKey { id, account, name, fingerprint, public_key, created_at, last_used_at })
}

/// Adds a key. One that the account has already is a unique violation.
pub async fn insert(db: &mut AnyConnection, key: &SshKey) -> Result<()> {
    sqlx::query(
        "INSERT INTO ssh_keys (id, account, name, fingerprint, public_key, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(key.id.as_str())
    .bind(key.account.as_str())
    .bind(&key.name)
    .bind(&key.fingerprint)
    .bind(&key.public_key)
    .bind(key.created_at)
    .bind(key.last_used_at)
    .execute(db)
    .await?;
    Ok(())
}

/// An account's, the newest first.
pub async fn list(db: &mut AnyConnection, account: &AccountId) -> Result<Vec<SshKey>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, account, name, fingerprint, public_key, created_at, last_used_at
         FROM ssh_keys WHERE account = $1 ORDER BY id DESC LIMIT 200",
    )
    .bind(account.as_str())
    .fetch_all(db)
    .await?;
    rows.into_iter().map(ssh_key).collect()
}

/// How many an account has.
pub async fn count(db: &mut AnyConnection, account: &AccountId) -> Result<u32> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ssh_keys WHERE account = $1")
        .bind(account.as_str())
        .fetch_one(db)
        .await?;
    Ok(codec::count(count))
}

/// The members of a workspace, not disabled, who have this key; whoever added it first comes first. One question whatever
/// exists: the workspace and the key together are the scope.
pub async fn holders(db: &mut AnyConnection, workspace: &WorkspaceId, fingerprint: &str) -> Result<Vec<Holder>> {
    let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(
        "SELECT k.id, k.account, a.username, a.administrator, m.role
         FROM ssh_keys k JOIN accounts a ON a.id = k.account JOIN workspace_members m ON m.account = k.account
         WHERE k.fingerprint = $1 AND m.workspace = $2 AND a.disabled = 0 ORDER BY k.created_at, k.id LIMIT 20",
    )
    .bind(fingerprint)
    .bind(workspace.as_str())
    .fetch_all(db)
    .await?;
    let holder = |(key, account, username, administrator, role): (String, String, String, i64, String)| {
        let (key, account, role) = (codec::id(key)?, codec::id(account)?, codec::word(&role)?);
        Ok(Holder { key, account, username, administrator: administrator != 0, role })
    };
    rows.into_iter().map(holder).collect()
}

/// Notes a use. Times only go forward.
pub async fn used(db: &mut AnyConnection, account: &AccountId, id: &SshKeyId, now: Millis) -> Result<()> {
    sqlx::query(
        "UPDATE ssh_keys SET last_used_at = $1
         WHERE id = $2 AND account = $3 AND (last_used_at IS NULL OR last_used_at < $1)",
    )
    .bind(now)
    .bind(id.as_str())
    .bind(account.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes away one of an account's. False: there is none.
pub async fn remove(db: &mut AnyConnection, account: &AccountId, id: &SshKeyId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM ssh_keys WHERE id = $1 AND account = $2")
        .bind(id.as_str())
        .bind(account.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
