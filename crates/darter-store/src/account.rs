//! People.

use darter_core::{AccountId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// An account's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub username: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub display_name: String,
    /// argon2id in PHC form.
    pub password: Option<String>,
    pub administrator: bool,
    pub disabled: bool,
    /// Digest of the picture.
    pub avatar: Option<String>,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub last_seen_at: Option<Millis>,
}

type Row =
    (String, String, Option<String>, i64, String, Option<String>, i64, i64, Option<String>, i64, i64, Option<i64>);

/// Whole rows, in the order of [`Row`].
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT id, username, email, email_verified, display_name, password, administrator, disabled, avatar, \
             created_at, updated_at, last_seen_at FROM accounts ",
            $which
        )
    };
}

fn account(row: Row) -> Result<Account> {
    let (
        id,
        username,
        email,
        verified,
        display_name,
        password,
        administrator,
        disabled,
        avatar,
        created,
        updated,
        seen,
    ) = row;
    Ok(Account {
        id: codec::id(id)?,
        username,
        email,
        email_verified: verified == 1,
        display_name,
        password,
        administrator: administrator == 1,
        disabled: disabled == 1,
        avatar,
        created_at: created,
        updated_at: updated,
        last_seen_at: seen,
    })
}

/// Adds an account. A taken user name or address is a duplicate.
pub async fn insert(db: &mut AnyConnection, account: &Account) -> Result<()> {
    sqlx::query(
        "INSERT INTO accounts (id, username, email, email_verified, display_name, password, administrator, disabled, avatar,
                               created_at, updated_at, last_seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(account.id.as_str())
    .bind(&account.username)
    .bind(&account.email)
    .bind(i64::from(account.email_verified))
    .bind(&account.display_name)
    .bind(&account.password)
    .bind(i64::from(account.administrator))
    .bind(i64::from(account.disabled))
    .bind(&account.avatar)
    .bind(account.created_at)
    .bind(account.updated_at)
    .bind(account.last_seen_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Writes everything that can change, except when it was last seen.
pub async fn update(db: &mut AnyConnection, account: &Account) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE accounts SET username = $1, email = $2, email_verified = $3, display_name = $4, password = $5,
                administrator = $6, disabled = $7, avatar = $8, updated_at = $9 WHERE id = $10",
    )
    .bind(&account.username)
    .bind(&account.email)
    .bind(i64::from(account.email_verified))
    .bind(&account.display_name)
    .bind(&account.password)
    .bind(i64::from(account.administrator))
    .bind(i64::from(account.disabled))
    .bind(&account.avatar)
    .bind(account.updated_at)
    .bind(account.id.as_str())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that somebody was here. Times only go forward.
pub async fn seen(db: &mut AnyConnection, id: &AccountId, now: Millis) -> Result<()> {
    sqlx::query("UPDATE accounts SET last_seen_at = $1 WHERE id = $2 AND (last_seen_at IS NULL OR last_seen_at < $1)")
        .bind(now)
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// Oneself.
pub async fn lookup(db: &mut AnyConnection, id: &AccountId) -> Result<Option<Account>> {
    let row: Option<Row> = sqlx::query_as(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(db).await?;
    row.map(account).transpose()
}

/// For signing in: by user name, or by address (which has an `@`, and a user name has none).
pub async fn by_login(db: &mut AnyConnection, login: &str) -> Result<Option<Account>> {
    let row: Option<Row> =
        sqlx::query_as(select!("WHERE username = $1 OR email = $1")).bind(login).fetch_optional(db).await?;
    row.map(account).transpose()
}

/// For an administrator: all, the oldest first, after this (time, id).
pub async fn list(db: &mut AnyConnection, after: Option<(Millis, String)>, limit: u32) -> Result<Vec<(Account, u32)>> {
    let (time, id) = after.unwrap_or((-1, String::new()));
    let rows: Vec<Row> = sqlx::query_as(select!(
        "WHERE created_at > $1 OR (created_at = $1 AND id > $2) ORDER BY created_at, id LIMIT $3"
    ))
    .bind(time)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let account = account(row)?;
        let apps = crate::app::count_owned(db, &account.id).await?;
        found.push((account, apps));
    }
    Ok(found)
}

/// For the server itself: how many there are.
pub async fn count(db: &mut AnyConnection) -> Result<u32> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM accounts").fetch_one(db).await?;
    Ok(codec::count(count))
}

/// For the server itself: administrators who can sign in, without this one.
pub async fn other_administrators(db: &mut AnyConnection, id: &AccountId) -> Result<u32> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM accounts WHERE administrator = 1 AND disabled = 0 AND id <> $1")
            .bind(id.as_str())
            .fetch_one(db)
            .await?;
    Ok(codec::count(count))
}
