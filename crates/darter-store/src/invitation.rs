//! Invitations to sign up. They belong to the server: only administrators reach these calls, or whoever has the code.

use darter_core::{InvitationId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// An invitation's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    /// Only somebody with this address may use it.
    pub email: Option<String>,
    pub uses_left: u32,
    pub created_at: Millis,
    pub expires_at: Millis,
}

type Row = (String, Option<String>, i64, i64, i64);

fn invitation((id, email, uses_left, created_at, expires_at): Row) -> Result<Invitation> {
    Ok(Invitation { id: codec::id(id)?, email, uses_left: codec::count(uses_left), created_at, expires_at })
}

/// Adds one under the digest of its code.
pub async fn insert(db: &mut AnyConnection, invitation: &Invitation, secret: &str) -> Result<()> {
    sqlx::query("INSERT INTO invitations (id, secret, email, uses_left, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(invitation.id.as_str())
        .bind(secret)
        .bind(&invitation.email)
        .bind(i64::from(invitation.uses_left))
        .bind(invitation.created_at)
        .bind(invitation.expires_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Takes one use of the invitation with this code's digest, for this address. None: there is none (any more).
pub async fn take(
    db: &mut AnyConnection,
    secret: &str,
    email: Option<&str>,
    now: Millis,
) -> Result<Option<InvitationId>> {
    let row: Option<(String,)> = sqlx::query_as(
        "UPDATE invitations SET uses_left = uses_left - 1
         WHERE secret = $1 AND uses_left > 0 AND expires_at > $2 AND (email IS NULL OR email = $3) RETURNING id",
    )
    .bind(secret)
    .bind(now)
    .bind(email.unwrap_or_default())
    .fetch_optional(db)
    .await?;
    row.map(|(id,)| codec::id(id)).transpose()
}

/// For an administrator: those that can still be used, the newest first, before this id.
pub async fn list(
    db: &mut AnyConnection,
    (before, limit): (Option<String>, u32),
    now: Millis,
) -> Result<Vec<Invitation>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, email, uses_left, created_at, expires_at FROM invitations
         WHERE uses_left > 0 AND expires_at > $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(now)
    .bind(before.unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(invitation).collect()
}

/// For an administrator: takes one back. False: there is none.
pub async fn remove(db: &mut AnyConnection, id: &InvitationId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM invitations WHERE id = $1").bind(id.as_str()).execute(db).await?;
    Ok(done.rows_affected() == 1)
}
