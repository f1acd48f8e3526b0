//! Apps. What somebody may see is decided by membership, in the query itself.

use darter_core::app::AppState;
use darter_core::limits::AppLimits;
use darter_core::role::Role;
use darter_core::{AccountId, AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// An app's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub owner: AccountId,
    pub name: String,
    pub state: AppState,
    pub limits: AppLimits,
    /// Its SERVER_SECRET, sealed.
    pub secret: String,
    pub revision: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub recycled_at: Option<Millis>,
}

/// An app as a member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberApp {
    pub app: App,
    pub role: Role,
    pub functions: u32,
}

type Row = (String, String, String, String, String, String, i64, i64, i64, Option<i64>);
type MemberRow = (String, String, String, String, String, String, i64, i64, i64, Option<i64>, String, i64);

fn app((id, owner, name, state, limits, secret, revision, created_at, updated_at, recycled_at): Row) -> Result<App> {
    Ok(App {
        id: codec::id(id)?,
        owner: codec::id(owner)?,
        name,
        state: codec::word(&state)?,
        limits: codec::json(&limits)?,
        secret,
        revision,
        created_at,
        updated_at,
        recycled_at,
    })
}

fn member_app((a, b, c, d, e, f, g, h, i, j, role, functions): MemberRow) -> Result<MemberApp> {
    Ok(MemberApp {
        app: app((a, b, c, d, e, f, g, h, i, j))?,
        role: codec::word(&role)?,
        functions: codec::count(functions),
    })
}

/// Adds an app. A duplicate id is a unique violation: draw another.
pub async fn insert(db: &mut AnyConnection, app: &App) -> Result<()> {
    sqlx::query(
        "INSERT INTO apps (id, owner, name, state, limits, secret, revision, created_at, updated_at, recycled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(app.id.as_str())
    .bind(app.owner.as_str())
    .bind(&app.name)
    .bind(codec::to_word(&app.state)?)
    .bind(codec::to_json(&app.limits)?)
    .bind(&app.secret)
    .bind(app.revision)
    .bind(app.created_at)
    .bind(app.updated_at)
    .bind(app.recycled_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The app, when `viewer` is a member of it.
pub async fn lookup(db: &mut AnyConnection, viewer: &AccountId, id: &AppId) -> Result<Option<MemberApp>> {
    let row: Option<MemberRow> = sqlx::query_as(
        "SELECT a.id, a.owner, a.name, a.state, a.limits, a.secret, a.revision, a.created_at, a.updated_at, a.recycled_at,
                m.role, (SELECT COUNT(*) FROM functions f WHERE f.app = a.id)
         FROM apps a JOIN members m ON m.app = a.id WHERE a.id = $1 AND m.account = $2",
    )
    .bind(id.as_str())
    .bind(viewer.as_str())
    .fetch_optional(db)
    .await?;
    row.map(member_app).transpose()
}

/// Which apps of a member, from where on.
#[derive(Debug, Clone, Default)]
pub struct AppFilter {
    /// Those in the recycle bin instead of the others.
    pub recycled: bool,
    pub state: Option<AppState>,
    /// Created before this (time, id).
    pub before: Option<(Millis, String)>,
    pub limit: u32,
}

/// Apps that `viewer` is a member of, the newest first.
pub async fn list(db: &mut AnyConnection, viewer: &AccountId, filter: &AppFilter) -> Result<Vec<MemberApp>> {
    let (time, id) = filter.before.clone().unwrap_or((Millis::MAX, String::new()));
    let rows: Vec<MemberRow> = sqlx::query_as(
        "SELECT a.id, a.owner, a.name, a.state, a.limits, a.secret, a.revision, a.created_at, a.updated_at, a.recycled_at,
                m.role, (SELECT COUNT(*) FROM functions f WHERE f.app = a.id)
         FROM members m JOIN apps a ON a.id = m.app
         WHERE m.account = $1 AND (a.state = $2 OR ($2 = '' AND a.state <> 'recycled'))
           AND (a.created_at < $3 OR (a.created_at = $3 AND a.id < $4))
         ORDER BY a.created_at DESC, a.id DESC LIMIT $5",
    )
    .bind(viewer.as_str())
    .bind(match (filter.recycled, filter.state) {
        (true, _) => codec::to_word(&AppState::Recycled)?,
        (false, Some(state)) => codec::to_word(&state)?,
        (false, None) => String::new(),
    })
    .bind(time)
    .bind(id)
    .bind(i64::from(filter.limit))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(member_app).collect()
}

/// Writes name, state, limits, and times of an app whose revision is still the one before. False: it is not.
pub async fn update(db: &mut AnyConnection, app: &App) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE apps SET name = $1, state = $2, limits = $3, revision = $4, updated_at = $5, recycled_at = $6
         WHERE id = $7 AND revision = $8",
    )
    .bind(&app.name)
    .bind(codec::to_word(&app.state)?)
    .bind(codec::to_json(&app.limits)?)
    .bind(app.revision)
    .bind(app.updated_at)
    .bind(app.recycled_at)
    .bind(app.id.as_str())
    .bind(app.revision - 1)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes an app in the recycle bin with everything below it. Safe to repeat.
pub async fn remove(db: &mut AnyConnection, id: &AppId) -> Result<bool> {
    let done =
        sqlx::query("DELETE FROM apps WHERE id = $1 AND state = 'recycled'").bind(id.as_str()).execute(db).await?;
    Ok(done.rows_affected() == 1)
}

/// How many apps an account owns, without those in the recycle bin.
pub async fn count_owned(db: &mut AnyConnection, owner: &AccountId) -> Result<u32> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM apps WHERE owner = $1 AND state <> 'recycled'")
        .bind(owner.as_str())
        .fetch_one(db)
        .await?;
    Ok(codec::count(count))
}

/// For the server itself: every app that has a route.
pub async fn routes(db: &mut AnyConnection) -> Result<Vec<(AppId, AppState, AppLimits)>> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT id, state, limits FROM apps WHERE state <> 'recycled'").fetch_all(db).await?;
    rows.into_iter()
        .map(|(id, state, limits)| Ok((codec::id(id)?, codec::word(&state)?, codec::json(&limits)?)))
        .collect()
}

/// For the server itself: an app whoever asks.
pub async fn find(db: &mut AnyConnection, id: &AppId) -> Result<Option<App>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, owner, name, state, limits, secret, revision, created_at, updated_at, recycled_at FROM apps WHERE id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(db)
    .await?;
    row.map(app).transpose()
}

/// For the server itself: apps that went into the recycle bin before a time.
pub async fn recycled_before(db: &mut AnyConnection, time: Millis) -> Result<Vec<AppId>> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT id FROM apps WHERE state = 'recycled' AND recycled_at < $1")
        .bind(time)
        .fetch_all(db)
        .await?;
    rows.into_iter().map(|(id,)| codec::id(id)).collect()
}
