//! Who entered which workspace with which browser, and the codes that hand a browser over from the console. Only digests
//! of secrets are here.

use darter_core::workspace::Door;
use darter_core::{AccountId, Millis, SessionId, ShareId, TokenId, VisitId, WorkspaceId};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::{Result, StoreError, codec};

/// Which credential let somebody in: what they made ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    Session(SessionId),
    Token(TokenId),
    /// A link of whoever shared a port.
    Share(ShareId),
    /// Nothing: the port is public.
    None,
}

/// A browser on a workspace's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub id: VisitId,
    pub workspace: WorkspaceId,
    pub door: Door,
    /// Absent: a guest who is not signed in.
    pub account: Option<AccountId>,
    pub credential: Credential,
    pub created_at: Millis,
    pub last_used_at: Millis,
    pub expires_at: Millis,
}

/// A hand-over, used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub workspace: WorkspaceId,
    pub door: Door,
    pub account: AccountId,
    pub credential: Credential,
    /// Where the browser goes then; begins with one slash.
    pub path: String,
    pub expires_at: Millis,
}

fn word(door: Door) -> String {
    match door {
        Door::Editor => "editor".into(),
        Door::Attendant => "attendant".into(),
        Door::Port(port) => port.to_string(),
    }
}

fn door(word: &str) -> Result<Door> {
    match word {
        "editor" => Ok(Door::Editor),
        port => port.parse().map(Door::Port).map_err(|_| StoreError::damaged("door", word)),
    }
}

fn parts(credential: &Credential) -> (Option<&str>, Option<&str>, Option<&str>) {
    match credential {
        Credential::Session(id) => (Some(id.as_str()), None, None),
        Credential::Token(id) => (None, Some(id.as_str()), None),
        Credential::Share(id) => (None, None, Some(id.as_str())),
        Credential::None => (None, None, None),
    }
}

type CredentialColumns = (Option<String>, Option<String>, Option<String>);

fn credential((session, token, share): CredentialColumns) -> Result<Credential> {
    Ok(match (session, token, share) {
        (Some(id), ..) => Credential::Session(codec::id(id)?),
        (None, Some(id), _) => Credential::Token(codec::id(id)?),
        (None, None, Some(id)) => Credential::Share(codec::id(id)?),
        (None, None, None) => Credential::None,
    })
}

/// Adds a visit under the digest of its secret.
pub async fn enter(db: &mut AnyConnection, visit: &Visit, secret: &str) -> Result<()> {
    let (session, token, share) = parts(&visit.credential);
    sqlx::query(
        "INSERT INTO door_visits (id, secret, workspace, door, account, session, token, share, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(visit.id.as_str())
    .bind(secret)
    .bind(visit.workspace.as_str())
    .bind(word(visit.door))
    .bind(visit.account.as_ref().map(AccountId::as_str))
    .bind(session)
    .bind(token)
    .bind(share)
    .bind(visit.created_at)
    .bind(visit.last_used_at)
    .bind(visit.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

fn visit(row: &AnyRow) -> Result<Visit> {
    Ok(Visit {
        id: codec::id(row.try_get(0)?)?,
        workspace: codec::id(row.try_get(1)?)?,
        door: door(row.try_get(2)?)?,
        account: row.try_get::<Option<String>, _>(3)?.map(codec::id).transpose()?,
        credential: credential((row.try_get(4)?, row.try_get(5)?, row.try_get(6)?))?,
        created_at: row.try_get(7)?,
        last_used_at: row.try_get(8)?,
        expires_at: row.try_get(9)?,
    })
}

/// The visit with this secret's digest to this workspace, when it has not ended.
pub async fn by_secret(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    secret: &str,
    now: Millis,
) -> Result<Option<Visit>> {
    let row = sqlx::query(
        "SELECT id, workspace, door, account, session, token, share, created_at, last_used_at, expires_at
         FROM door_visits WHERE secret = $1 AND workspace = $2 AND expires_at > $3",
    )
    .bind(secret)
    .bind(workspace.as_str())
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(visit).transpose()
}

/// Notes a use and moves the end. Times only go forward.
pub async fn visited(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    id: &VisitId,
    (now, expires_at): (Millis, Millis),
) -> Result<()> {
    sqlx::query(
        "UPDATE door_visits SET last_used_at = $1, expires_at = $2 WHERE id = $3 AND workspace = $4 AND last_used_at < $1",
    )
    .bind(now)
    .bind(expires_at)
    .bind(id.as_str())
    .bind(workspace.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps, of the visits to a workspace that one link or one account let in, only those that were used last: whoever has a
/// link cannot turn others out.
pub async fn trim(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    (credential, account): (&Credential, Option<&AccountId>),
    keep: u32,
) -> Result<()> {
    let (_, _, share) = parts(credential);
    let of = share.or(account.map(AccountId::as_str)).unwrap_or_default();
    sqlx::query(
        "DELETE FROM door_visits WHERE workspace = $1 AND COALESCE(share, account, '') = $2 AND id NOT IN
            (SELECT id FROM door_visits WHERE workspace = $1 AND COALESCE(share, account, '') = $2
             ORDER BY last_used_at DESC, id DESC LIMIT $3)",
    )
    .bind(workspace.as_str())
    .bind(of)
    .bind(i64::from(keep))
    .execute(db)
    .await?;
    Ok(())
}

/// Ends every visit that a share's link let in.
pub async fn leave_share(db: &mut AnyConnection, workspace: &WorkspaceId, share: &ShareId) -> Result<u64> {
    let done = sqlx::query("DELETE FROM door_visits WHERE workspace = $1 AND share = $2")
        .bind(workspace.as_str())
        .bind(share.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Adds a code under the digest of its secret.
pub async fn hand_over(db: &mut AnyConnection, code: &Code, secret: &str) -> Result<()> {
    let (session, token, _) = parts(&code.credential);
    sqlx::query(
        "INSERT INTO door_codes (secret, workspace, door, account, session, token, path, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(secret)
    .bind(code.workspace.as_str())
    .bind(word(code.door))
    .bind(code.account.as_str())
    .bind(session)
    .bind(token)
    .bind(&code.path)
    .bind(code.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the code with this secret's digest out: whoever gets it is the only one. One of another workspace stays, and one
/// that has ended is none.
pub async fn redeem(
    db: &mut AnyConnection,
    workspace: &WorkspaceId,
    secret: &str,
    now: Millis,
) -> Result<Option<Code>> {
    let row = sqlx::query(
        "DELETE FROM door_codes WHERE secret = $1 AND workspace = $2 AND expires_at > $3
         RETURNING workspace, door, account, session, token, path, expires_at",
    )
    .bind(secret)
    .bind(workspace.as_str())
    .bind(now)
    .fetch_optional(db)
    .await?;
    let code = |row: AnyRow| {
        Ok(Code {
            workspace: codec::id(row.try_get(0)?)?,
            door: door(row.try_get(1)?)?,
            account: codec::id(row.try_get(2)?)?,
            credential: credential((row.try_get(3)?, row.try_get(4)?, None))?,
            path: row.try_get(5)?,
            expires_at: row.try_get(6)?,
        })
    };
    row.map(code).transpose()
}

/// For the server itself: removes what has ended.
pub async fn sweep(db: &mut AnyConnection, now: Millis) -> Result<u64> {
    let codes = sqlx::query("DELETE FROM door_codes WHERE expires_at <= $1").bind(now).execute(&mut *db).await?;
    let visits = sqlx::query("DELETE FROM door_visits WHERE expires_at <= $1").bind(now).execute(db).await?;
    Ok(codes.rows_affected() + visits.rows_affected())
}
