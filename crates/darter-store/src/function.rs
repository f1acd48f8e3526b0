//! Functions with their drafts. Every call says which app's.

use darter_core::{AccountId, AppId, FunctionId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A function's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub summary: FunctionSummary,
    /// The draft.
    pub source: String,
}

/// A function without its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSummary {
    pub id: FunctionId,
    pub app: AppId,
    pub name: String,
    pub description: String,
    pub methods: Vec<String>,
    /// Of the draft's methods and source.
    pub digest: String,
    pub revision: i64,
    pub live_version: Option<u32>,
    /// The live version's digest.
    pub live_digest: Option<String>,
    pub last_version: u32,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub updated_by: AccountId,
    /// Name of that account; empty when it is gone.
    pub updated_by_name: String,
}

/// A live function as an instance needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCode {
    pub name: String,
    pub version: u32,
    pub code: String,
    pub map: String,
    pub methods: Vec<String>,
    pub imports: Vec<String>,
}

type Row = (
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<String>,
    i64,
    i64,
    i64,
    String,
    Option<String>,
    String,
);

fn function(row: Row) -> Result<Function> {
    let (
        id,
        app,
        name,
        description,
        methods,
        digest,
        revision,
        live,
        live_digest,
        last,
        created_at,
        updated_at,
        by,
        by_name,
        source,
    ) = row;
    let summary = FunctionSummary {
        id: codec::id(id)?,
        app: codec::id(app)?,
        name,
        description,
        methods: codec::json(&methods)?,
        digest,
        revision,
        live_version: live.map(codec::count),
        live_digest,
        last_version: codec::count(last),
        created_at,
        updated_at,
        updated_by: codec::id(by)?,
        updated_by_name: by_name.unwrap_or_default(),
    };
    Ok(Function { summary, source })
}

/// One function with its draft.
pub async fn lookup(db: &mut AnyConnection, app: &AppId, name: &str) -> Result<Option<Function>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT f.id, f.app, f.name, f.description, f.methods, f.digest, f.revision, f.live_version, v.digest,
                f.last_version, f.created_at, f.updated_at, f.updated_by, a.username, f.source
         FROM functions f
         LEFT JOIN versions v ON v.function = f.id AND v.number = f.live_version
         LEFT JOIN accounts a ON a.id = f.updated_by
         WHERE f.app = $1 AND f.name = $2",
    )
    .bind(app.as_str())
    .bind(name)
    .fetch_optional(db)
    .await?;
    row.map(function).transpose()
}

/// Functions by name, without their sources, after a name.
pub async fn list(db: &mut AnyConnection, app: &AppId, after: &str, limit: u32) -> Result<Vec<FunctionSummary>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT f.id, f.app, f.name, f.description, f.methods, f.digest, f.revision, f.live_version, v.digest,
                f.last_version, f.created_at, f.updated_at, f.updated_by, a.username, ''
         FROM functions f
         LEFT JOIN versions v ON v.function = f.id AND v.number = f.live_version
         LEFT JOIN accounts a ON a.id = f.updated_by
         WHERE f.app = $1 AND f.name > $2 ORDER BY f.name LIMIT $3",
    )
    .bind(app.as_str())
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| function(row).map(|function| function.summary)).collect()
}

/// How many an app has.
pub async fn count(db: &mut AnyConnection, app: &AppId) -> Result<u32> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM functions WHERE app = $1").bind(app.as_str()).fetch_one(db).await?;
    Ok(codec::count(count))
}

/// Adds a function. A name that is taken is a unique violation.
pub async fn insert(db: &mut AnyConnection, function: &Function) -> Result<()> {
    let summary = &function.summary;
    sqlx::query(
        "INSERT INTO functions (id, app, name, description, methods, source, digest, revision, live_version, last_version,
                                created_at, updated_at, updated_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(summary.id.as_str())
    .bind(summary.app.as_str())
    .bind(&summary.name)
    .bind(&summary.description)
    .bind(codec::to_json(&summary.methods)?)
    .bind(&function.source)
    .bind(&summary.digest)
    .bind(summary.revision)
    .bind(summary.live_version.map(i64::from))
    .bind(i64::from(summary.last_version))
    .bind(summary.created_at)
    .bind(summary.updated_at)
    .bind(summary.updated_by.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Writes the draft of a function whose revision is still `expected`. False: it is not, or the function is gone.
pub async fn update(db: &mut AnyConnection, function: &Function, expected: i64) -> Result<bool> {
    let summary = &function.summary;
    let done = sqlx::query(
        "UPDATE functions SET name = $1, description = $2, methods = $3, source = $4, digest = $5, revision = $6,
                live_version = $7, last_version = $8, updated_at = $9, updated_by = $10
         WHERE app = $11 AND id = $12 AND revision = $13 AND last_version <= $8",
    )
    .bind(&summary.name)
    .bind(&summary.description)
    .bind(codec::to_json(&summary.methods)?)
    .bind(&function.source)
    .bind(&summary.digest)
    .bind(summary.revision)
    .bind(summary.live_version.map(i64::from))
    .bind(i64::from(summary.last_version))
    .bind(summary.updated_at)
    .bind(summary.updated_by.as_str())
    .bind(summary.app.as_str())
    .bind(summary.id.as_str())
    .bind(expected)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a function with its versions. False: there is none.
pub async fn remove(db: &mut AnyConnection, app: &AppId, name: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM functions WHERE app = $1 AND name = $2")
        .bind(app.as_str())
        .bind(name)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Names and drafts of all functions of an app.
pub async fn drafts(db: &mut AnyConnection, app: &AppId) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as("SELECT name, source FROM functions WHERE app = $1 ORDER BY name")
        .bind(app.as_str())
        .fetch_all(db)
        .await?)
}

/// Bytes of all drafts of an app but for one function's.
pub async fn draft_bytes(db: &mut AnyConnection, app: &AppId, but: &str) -> Result<u64> {
    let (bytes,): (i64,) = sqlx::query_as(
        "SELECT CAST(COALESCE(SUM(OCTET_LENGTH(source)), 0) AS BIGINT) FROM functions WHERE app = $1 AND name <> $2",
    )
    .bind(app.as_str())
    .bind(but)
    .fetch_one(db)
    .await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Code of everything live in an app.
pub async fn live(db: &mut AnyConnection, app: &AppId) -> Result<Vec<LiveCode>> {
    let rows: Vec<(String, i64, String, String, String, String)> = sqlx::query_as(
        "SELECT f.name, v.number, v.code, v.map, v.methods, v.imports
         FROM functions f JOIN versions v ON v.function = f.id AND v.number = f.live_version
         WHERE f.app = $1 ORDER BY f.name",
    )
    .bind(app.as_str())
    .fetch_all(db)
    .await?;
    rows.into_iter().map(live_code).collect()
}

pub(crate) fn live_code(row: (String, i64, String, String, String, String)) -> Result<LiveCode> {
    let (name, version, code, map, methods, imports) = row;
    let version = codec::count(version);
    Ok(LiveCode { name, version, code, map, methods: codec::json(&methods)?, imports: codec::json(&imports)? })
}

/// What each live function of an app imports: `(name, specifiers)`.
pub async fn live_imports(db: &mut AnyConnection, app: &AppId) -> Result<Vec<(String, Vec<String>)>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT f.name, v.imports FROM functions f JOIN versions v ON v.function = f.id AND v.number = f.live_version
         WHERE f.app = $1",
    )
    .bind(app.as_str())
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|(name, imports)| Ok((name, codec::json(&imports)?))).collect()
}
