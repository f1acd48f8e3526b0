//! Who may do what in a workspace. Today its owner is the only one; sharing adds rows.

use darter_core::role::Role;
use darter_core::{AccountId, Millis, WorkspaceId};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// An account's role in a workspace.
pub async fn role(db: &mut AnyConnection, workspace: &WorkspaceId, account: &AccountId) -> Result<Option<Role>> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT role FROM workspace_members WHERE workspace = $1 AND account = $2")
            .bind(workspace.as_str())
            .bind(account.as_str())
            .fetch_optional(db)
            .await?;
    row.map(|(role,)| codec::word(&role)).transpose()
}

/// Adds a member, or changes the role of one.
pub async fn set(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    account: &AccountId,
    (role, since): (Role, Millis),
) -> Result<()> {
    sqlx::query(
        "INSERT INTO workspace_members (workspace, account, role, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (workspace, account) DO UPDATE SET role = excluded.role",
    )
    .bind(workspace.as_str())
    .bind(account.as_str())
    .bind(codec::to_word(&role)?)
    .bind(since)
    .execute(db)
    .await?;
    Ok(())
}
