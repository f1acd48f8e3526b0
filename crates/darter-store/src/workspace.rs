//! Workspaces. What somebody may see is decided by membership, in the query itself.

use darter_core::role::Role;
use darter_core::workspace::{Depth, Desired, EnvironmentName, Kept, WorkspaceLimits, WorkspaceRest};
use darter_core::{AccountId, Millis, WorkspaceId};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::workspace_observed::ObservedRow;
use crate::{Result, codec};

/// A workspace's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub owner: AccountId,
    pub name: String,
    pub kept: Kept,
    pub environment: EnvironmentName,
    pub depth: Depth,
    pub desired: Desired,
    pub limits: WorkspaceLimits,
    pub rest: WorkspaceRest,
    /// It does not go to rest before.
    pub keep_until: Option<Millis>,
    pub revision: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
    /// When somebody last wanted it: made, started, opened.
    pub used_at: Millis,
    pub recycled_at: Option<Millis>,
}

/// A workspace as a member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberWorkspace {
    pub workspace: Workspace,
    pub role: Role,
    /// The owner's user name, which is in the address.
    pub owner_name: String,
    /// What the engine saw last.
    pub observed: Option<ObservedRow>,
}

const COLUMNS: &str =
    "w.id, w.owner, w.name, w.kept, w.environment, w.depth, w.desired, w.limits, w.rest, w.keep_until,
    w.revision, w.created_at, w.updated_at, w.used_at, w.recycled_at";

fn workspace(row: &AnyRow) -> Result<Workspace> {
    Ok(Workspace {
        id: codec::id(row.try_get(0)?)?,
        owner: codec::id(row.try_get(1)?)?,
        name: row.try_get(2)?,
        kept: codec::word(row.try_get(3)?)?,
        environment: codec::id(row.try_get(4)?)?,
        depth: codec::word(row.try_get(5)?)?,
        desired: codec::word(row.try_get(6)?)?,
        limits: codec::json(row.try_get(7)?)?,
        rest: codec::json(row.try_get(8)?)?,
        keep_until: row.try_get(9)?,
        revision: row.try_get(10)?,
        created_at: row.try_get(11)?,
        updated_at: row.try_get(12)?,
        used_at: row.try_get(13)?,
        recycled_at: row.try_get(14)?,
    })
}

const MEMBER_COLUMNS: &str = "m.role, COALESCE(a.username, ''), o.state, o.since, o.detail, o.updated_at";

fn member_workspace(row: &AnyRow) -> Result<MemberWorkspace> {
    let observed = match row.try_get::<Option<String>, _>(17)? {
        None => None,
        Some(state) => {
            Some(ObservedRow { state, since: row.try_get(18)?, detail: row.try_get(19)?, updated_at: row.try_get(20)? })
        }
    };
    let (role, owner_name) = (codec::word(row.try_get(15)?)?, row.try_get(16)?);
    Ok(MemberWorkspace { workspace: workspace(row)?, role, owner_name, observed })
}

/// Adds a workspace. A duplicate id is a unique violation: draw another.
pub async fn insert(db: &mut AnyConnection, workspace: &Workspace) -> Result<()> {
    sqlx::query(
        "INSERT INTO workspaces (id, owner, name, kept, environment, depth, desired, limits, rest, keep_until,
                                 revision, created_at, updated_at, used_at, recycled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(workspace.id.as_str())
    .bind(workspace.owner.as_str())
    .bind(&workspace.name)
    .bind(codec::to_word(&workspace.kept)?)
    .bind(workspace.environment.as_str())
    .bind(codec::to_word(&workspace.depth)?)
    .bind(codec::to_word(&workspace.desired)?)
    .bind(codec::to_json(&workspace.limits)?)
    .bind(codec::to_json(&workspace.rest)?)
    .bind(workspace.keep_until)
    .bind(workspace.revision)
    .bind(workspace.created_at)
    .bind(workspace.updated_at)
    .bind(workspace.used_at)
    .bind(workspace.recycled_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The workspace, when `viewer` is a member of it.
pub async fn lookup(db: &mut AnyConnection, viewer: &AccountId, id: &WorkspaceId) -> Result<Option<MemberWorkspace>> {
    let text = format!(
        "SELECT {COLUMNS}, {MEMBER_COLUMNS}
         FROM workspaces w JOIN workspace_members m ON m.workspace = w.id LEFT JOIN accounts a ON a.id = w.owner
              LEFT JOIN workspace_observed o ON o.workspace = w.id
         WHERE w.id = $1 AND m.account = $2"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.as_str()).bind(viewer.as_str()).fetch_optional(db).await?;
    row.as_ref().map(member_workspace).transpose()
}

/// Which workspaces of a member, from where on.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceFilter {
    /// Only those that their owner wants so; absent: all but those in the recycle bin.
    pub desired: Option<Desired>,
    /// Created before this (time, id).
    pub before: Option<(Millis, String)>,
    pub limit: u32,
}

/// Workspaces that `viewer` is a member of, the newest first.
pub async fn list(
    db: &mut AnyConnection,
    viewer: &AccountId,
    filter: &WorkspaceFilter,
) -> Result<Vec<MemberWorkspace>> {
    let (time, id) = filter.before.clone().unwrap_or((Millis::MAX, String::new()));
    let text = format!(
        "SELECT {COLUMNS}, {MEMBER_COLUMNS}
         FROM workspace_members m JOIN workspaces w ON w.id = m.workspace LEFT JOIN accounts a ON a.id = w.owner
              LEFT JOIN workspace_observed o ON o.workspace = w.id
         WHERE m.account = $1 AND (w.desired = $2 OR ($2 = '' AND w.desired <> 'recycled'))
           AND (w.created_at < $3 OR (w.created_at = $3 AND w.id < $4))
         ORDER BY w.created_at DESC, w.id DESC LIMIT $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(viewer.as_str())
        .bind(filter.desired.map_or(Ok(String::new()), |desired| codec::to_word(&desired))?)
        .bind(time)
        .bind(id)
        .bind(i64::from(filter.limit))
        .fetch_all(db)
        .await?;
    rows.iter().map(member_workspace).collect()
}

/// Writes everything that can change of a workspace whose revision is still the one before. False: it is not.
pub async fn update(db: &mut AnyConnection, workspace: &Workspace) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE workspaces SET name = $1, environment = $2, depth = $3, desired = $4, limits = $5, rest = $6,
                keep_until = $7, kept = $8, revision = $9, updated_at = $10, used_at = $11, recycled_at = $12
         WHERE id = $13 AND revision = $14",
    )
    .bind(&workspace.name)
    .bind(workspace.environment.as_str())
    .bind(codec::to_word(&workspace.depth)?)
    .bind(codec::to_word(&workspace.desired)?)
    .bind(codec::to_json(&workspace.limits)?)
    .bind(codec::to_json(&workspace.rest)?)
    .bind(workspace.keep_until)
    .bind(codec::to_word(&workspace.kept)?)
    .bind(workspace.revision)
    .bind(workspace.updated_at)
    .bind(workspace.used_at)
    .bind(workspace.recycled_at)
    .bind(workspace.id.as_str())
    .bind(workspace.revision - 1)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that somebody wanted it. Times only go forward; no revision, as nobody decided anything.
pub async fn used(db: &mut AnyConnection, id: &WorkspaceId, now: Millis) -> Result<()> {
    sqlx::query("UPDATE workspaces SET used_at = $1 WHERE id = $2 AND used_at < $1")
        .bind(now)
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// For the server itself: a wish that nobody wrote by hand (it was opened; it was quiet for long), made at a time. False:
/// its wish was not `from`, or somebody changed it since.
pub async fn wish(
    db: &mut AnyConnection,
    id: &WorkspaceId,
    (from, to): (Desired, Desired),
    now: Millis,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE workspaces SET desired = $1, updated_at = $2 WHERE id = $3 AND desired = $4 AND updated_at <= $2",
    )
    .bind(codec::to_word(&to)?)
    .bind(now)
    .bind(id.as_str())
    .bind(codec::to_word(&from)?)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a workspace in the recycle bin with everything below it. Safe to repeat.
pub async fn remove(db: &mut AnyConnection, id: &WorkspaceId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM workspaces WHERE id = $1 AND desired = 'recycled'")
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many workspaces an account owns, without those in the recycle bin.
pub async fn count_owned(db: &mut AnyConnection, owner: &AccountId) -> Result<u32> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM workspaces WHERE owner = $1 AND desired <> 'recycled'")
        .bind(owner.as_str())
        .fetch_one(db)
        .await?;
    Ok(codec::count(count))
}

/// How many of an account's workspaces are in the recycle bin, without those that are about to go.
pub async fn count_recycled(db: &mut AnyConnection, owner: &AccountId) -> Result<u32> {
    let text = "SELECT COUNT(*) FROM workspaces WHERE owner = $1 AND desired = 'recycled' AND recycled_at > 0";
    let (count,): (i64,) = sqlx::query_as(text).bind(owner.as_str()).fetch_one(db).await?;
    Ok(codec::count(count))
}

/// For the server itself: how many there are, without those in the recycle bin.
pub async fn count(db: &mut AnyConnection) -> Result<u32> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM workspaces WHERE desired <> 'recycled'").fetch_one(db).await?;
    Ok(codec::count(count))
}

/// For the server itself: a workspace whoever asks, with its owner's name.
pub async fn find(db: &mut AnyConnection, id: &WorkspaceId) -> Result<Option<(Workspace, String)>> {
    let text = format!(
        "SELECT {COLUMNS}, COALESCE(a.username, '') FROM workspaces w LEFT JOIN accounts a ON a.id = w.owner WHERE w.id = $1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.as_str()).fetch_optional(db).await?;
    row.map(|row| Ok((workspace(&row)?, row.try_get(15)?))).transpose()
}

/// A workspace of which what is wanted and what was seen do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub id: WorkspaceId,
    pub desired: Desired,
    pub keep_until: Option<Millis>,
}

/// For the server itself: every gap between what is wanted and what was seen. What failed waits for its owner.
pub async fn gaps(db: &mut AnyConnection) -> Result<Vec<Gap>> {
    let rows: Vec<(String, String, Option<i64>)> = sqlx::query_as(
        "SELECT w.id, w.desired, w.keep_until FROM workspaces w LEFT JOIN workspace_observed o ON o.workspace = w.id
         WHERE (w.desired = 'awake' AND COALESCE(o.state, 'stopped') = 'stopped')
            OR (w.desired <> 'awake' AND COALESCE(o.state, 'stopped') NOT IN ('stopped', 'failed'))
         ORDER BY w.used_at DESC",
    )
    .fetch_all(db)
    .await?;
    let gap = |(id, desired, keep_until): (String, String, _)| {
        Ok(Gap { id: codec::id(id)?, desired: codec::word(&desired)?, keep_until })
    };
    rows.into_iter().map(gap).collect()
}

/// For the server itself, at its start: nothing runs, so nothing is wanted awake but what its owner keeps. A browser that
/// is still open knocks again and wakes its own.
pub async fn settle(db: &mut AnyConnection, now: Millis) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE workspaces SET desired = 'asleep' WHERE desired = 'awake' AND (keep_until IS NULL OR keep_until < $1)",
    )
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// For the server itself: all with their owners' names, for the doors in memory.
pub async fn doors(db: &mut AnyConnection) -> Result<Vec<(Workspace, String)>> {
    let text =
        format!("SELECT {COLUMNS}, COALESCE(a.username, '') FROM workspaces w LEFT JOIN accounts a ON a.id = w.owner");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(db).await?;
    rows.iter().map(|row| Ok((workspace(row)?, row.try_get(15)?))).collect()
}

/// Makes one in the recycle bin invisible and due, before what it has outside of the database is deleted: whoever dies
/// in between finds it again. False: it is not in the bin.
pub async fn condemn(db: &mut AnyConnection, id: &WorkspaceId) -> Result<bool> {
    let done = sqlx::query("UPDATE workspaces SET recycled_at = 0 WHERE id = $1 AND desired = 'recycled'")
        .bind(id.as_str())
        .execute(&mut *db)
        .await?;
    sqlx::query("DELETE FROM workspace_members WHERE workspace = $1 AND EXISTS (SELECT 1 FROM workspaces WHERE id = $1 AND recycled_at = 0)")
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// For the server itself: what went into the recycle bin before a time, and temporary ones in it whenever they did.
pub async fn purgeable(db: &mut AnyConnection, before: Millis) -> Result<Vec<WorkspaceId>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT id FROM workspaces WHERE desired = 'recycled' AND (recycled_at < $1 OR kept = 'temporary') ORDER BY id",
    )
    .bind(before)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|(id,)| codec::id(id)).collect()
}

/// For the server itself: temporary ones that are asleep and that nobody has wanted since a time.
pub async fn forgotten(db: &mut AnyConnection, before: Millis) -> Result<Vec<WorkspaceId>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT id FROM workspaces WHERE kept = 'temporary' AND desired = 'asleep' AND used_at < $1 ORDER BY id",
    )
    .bind(before)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|(id,)| codec::id(id)).collect()
}
