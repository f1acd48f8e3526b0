//! Who may do what in an app.

use darter_core::role::Role;
use darter_core::{AccountId, AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A member of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub account: AccountId,
    pub username: String,
    pub display_name: String,
    /// What the picture's address ends with; changes with the picture.
    pub avatar: Option<String>,
    pub role: Role,
    pub since: Millis,
}

/// Members of an app, those with the most rights first.
pub async fn list(db: &mut AnyConnection, app: &AppId) -> Result<Vec<Member>> {
    let rows: Vec<(String, String, String, Option<String>, String, i64)> = sqlx::query_as(
        "SELECT m.account, a.username, a.display_name, a.avatar, m.role, m.since
         FROM members m JOIN accounts a ON a.id = m.account WHERE m.app = $1 ORDER BY m.since, m.account",
    )
    .bind(app.as_str())
    .fetch_all(db)
    .await?;
    let mut members = rows
        .into_iter()
        .map(|(account, username, display_name, avatar, role, since)| {
            Ok(Member {
                account: codec::id(account)?,
                username,
                display_name,
                avatar,
                role: codec::word(&role)?,
                since,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    members.sort_by_key(|member| std::cmp::Reverse(member.role));
    Ok(members)
}

/// An account's role in an app.
pub async fn role(db: &mut AnyConnection, app: &AppId, account: &AccountId) -> Result<Option<Role>> {
    let row: Option<(String,)> = sqlx::query_as("SELECT role FROM members WHERE app = $1 AND account = $2")
        .bind(app.as_str())
        .bind(account.as_str())
        .fetch_optional(db)
        .await?;
    row.map(|(role,)| codec::word(&role)).transpose()
}

/// Adds a member, or changes the role of one.
pub async fn set(db: &mut AnyConnection, app: &AppId, account: &AccountId, role: Role, since: Millis) -> Result<()> {
    sqlx::query(
        "INSERT INTO members (app, account, role, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (app, account) DO UPDATE SET role = excluded.role",
    )
    .bind(app.as_str())
    .bind(account.as_str())
    .bind(codec::to_word(&role)?)
    .bind(since)
    .execute(db)
    .await?;
    Ok(())
}
