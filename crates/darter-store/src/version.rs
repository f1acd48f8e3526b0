//! Versions of functions: written once, never changed.

use darter_core::{AccountId, AppId, FunctionId, Millis};
use sqlx::AnyConnection;

use crate::function::{LiveCode, live_code};
use crate::{Result, codec};

/// A version to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    pub function: FunctionId,
    pub app: AppId,
    pub number: u32,
    pub source: String,
    pub code: String,
    pub map: String,
    pub imports: Vec<String>,
    pub methods: Vec<String>,
    pub digest: String,
    pub message: String,
    pub author: AccountId,
    /// What code and map cost on their way into an instance.
    pub code_bytes: u64,
    pub created_at: Millis,
}

/// A version without its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub number: u32,
    pub live: bool,
    pub methods: Vec<String>,
    pub digest: String,
    pub message: String,
    /// Name of the author; empty when the account is gone.
    pub author: String,
    pub source_bytes: u64,
    pub created_at: Millis,
}

type Row = (i64, Option<i64>, String, String, String, Option<String>, i64, i64, String);

fn version(
    (number, live, methods, digest, message, author, bytes, created_at, source): Row,
) -> Result<(Version, String)> {
    let version = Version {
        number: codec::count(number),
        live: live == Some(number),
        methods: codec::json(&methods)?,
        digest,
        message,
        author: author.unwrap_or_default(),
        source_bytes: u64::try_from(bytes).unwrap_or(0),
        created_at,
    };
    Ok((version, source))
}

/// Writes a version. A number that is taken is a unique violation.
pub async fn insert(db: &mut AnyConnection, version: &NewVersion) -> Result<()> {
    sqlx::query(
        "INSERT INTO versions (function, number, app, source, code, map, imports, methods, digest, message, author,
                               source_bytes, code_bytes, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(version.function.as_str())
    .bind(i64::from(version.number))
    .bind(version.app.as_str())
    .bind(&version.source)
    .bind(&version.code)
    .bind(&version.map)
    .bind(codec::to_json(&version.imports)?)
    .bind(codec::to_json(&version.methods)?)
    .bind(&version.digest)
    .bind(&version.message)
    .bind(version.author.as_str())
    .bind(i64::try_from(version.source.len()).unwrap_or(i64::MAX))
    .bind(i64::try_from(version.code_bytes).unwrap_or(i64::MAX))
    .bind(version.created_at)
    .execute(db)
    .await?;
    Ok(())
}

/// How much an app has published: bytes of all its versions' sources, and of the code of what is live without `except`.
pub async fn sizes(db: &mut AnyConnection, app: &AppId, except: &str) -> Result<(u64, u64)> {
    let (sources,): (i64,) =
        sqlx::query_as("SELECT CAST(COALESCE(SUM(source_bytes), 0) AS BIGINT) FROM versions WHERE app = $1")
            .bind(app.as_str())
            .fetch_one(&mut *db)
            .await?;
    let (live,): (i64,) = sqlx::query_as(
        "SELECT CAST(COALESCE(SUM(v.code_bytes), 0) AS BIGINT)
         FROM functions f JOIN versions v ON v.function = f.id AND v.number = f.live_version WHERE f.app = $1 AND f.name <> $2",
    )
    .bind(app.as_str())
    .bind(except)
    .fetch_one(db)
    .await?;
    Ok((u64::try_from(sources).unwrap_or(0), u64::try_from(live).unwrap_or(0)))
}

/// One version with its source.
pub async fn lookup(db: &mut AnyConnection, app: &AppId, name: &str, number: u32) -> Result<Option<(Version, String)>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT v.number, f.live_version, v.methods, v.digest, v.message, a.username, v.source_bytes, v.created_at, v.source
         FROM functions f JOIN versions v ON v.function = f.id LEFT JOIN accounts a ON a.id = v.author
         WHERE f.app = $1 AND f.name = $2 AND v.number = $3",
    )
    .bind(app.as_str())
    .bind(name)
    .bind(i64::from(number))
    .fetch_optional(db)
    .await?;
    row.map(version).transpose()
}

/// Versions before a number, the newest first, without their sources.
pub async fn list(db: &mut AnyConnection, app: &AppId, name: &str, before: u32, limit: u32) -> Result<Vec<Version>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT v.number, f.live_version, v.methods, v.digest, v.message, a.username, v.source_bytes, v.created_at, ''
         FROM functions f JOIN versions v ON v.function = f.id LEFT JOIN accounts a ON a.id = v.author
         WHERE f.app = $1 AND f.name = $2 AND v.number < $3 ORDER BY v.number DESC LIMIT $4",
    )
    .bind(app.as_str())
    .bind(name)
    .bind(i64::from(before))
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| version(row).map(|(version, _)| version)).collect()
}

/// One version's code.
pub async fn code(db: &mut AnyConnection, app: &AppId, name: &str, number: u32) -> Result<Option<LiveCode>> {
    let row: Option<(String, i64, String, String, String, String)> = sqlx::query_as(
        "SELECT f.name, v.number, v.code, v.map, v.methods, v.imports
         FROM functions f JOIN versions v ON v.function = f.id WHERE f.app = $1 AND f.name = $2 AND v.number = $3",
    )
    .bind(app.as_str())
    .bind(name)
    .bind(i64::from(number))
    .fetch_optional(db)
    .await?;
    row.map(live_code).transpose()
}
