//! Custom domains. Anybody may want a host; the database lets one app have it.

use darter_core::{AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// A domain of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub host: String,
    pub verified: bool,
    pub challenge: String,
    pub created_at: Millis,
}

type Row = (String, i64, String, i64);

fn domain((host, verified, challenge, created_at): Row) -> Domain {
    Domain { host, verified: verified == 1, challenge, created_at }
}

/// All of an app.
pub async fn list(db: &mut AnyConnection, app: &AppId) -> Result<Vec<Domain>> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT host, verified, challenge, created_at FROM domains WHERE app = $1 ORDER BY host")
            .bind(app.as_str())
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().map(domain).collect())
}

/// One of an app.
pub async fn lookup(db: &mut AnyConnection, app: &AppId, host: &str) -> Result<Option<Domain>> {
    let row: Option<Row> =
        sqlx::query_as("SELECT host, verified, challenge, created_at FROM domains WHERE app = $1 AND host = $2")
            .bind(app.as_str())
            .bind(host)
            .fetch_optional(db)
            .await?;
    Ok(row.map(domain))
}

/// Is the host proven by an app other than this one? Says nothing about which.
pub async fn is_taken(db: &mut AnyConnection, app: &AppId, host: &str) -> Result<bool> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM domains WHERE host = $1 AND app <> $2 AND verified = 1")
            .bind(host)
            .bind(app.as_str())
            .fetch_one(db)
            .await?;
    Ok(count > 0)
}

/// Adds one, not verified. One that the app has already is a unique violation.
pub async fn insert(db: &mut AnyConnection, app: &AppId, domain: &Domain) -> Result<()> {
    sqlx::query("INSERT INTO domains (app, host, verified, challenge, created_at) VALUES ($1, $2, 0, $3, $4)")
        .bind(app.as_str())
        .bind(&domain.host)
        .bind(&domain.challenge)
        .bind(domain.created_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Marks one as proven. When another app has proven it before, this is a unique violation.
pub async fn verify(db: &mut AnyConnection, app: &AppId, host: &str) -> Result<bool> {
    let done = sqlx::query("UPDATE domains SET verified = 1 WHERE app = $1 AND host = $2")
        .bind(app.as_str())
        .bind(host)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes one. False: there is none.
pub async fn remove(db: &mut AnyConnection, app: &AppId, host: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM domains WHERE app = $1 AND host = $2")
        .bind(app.as_str())
        .bind(host)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// For the server itself: every proven host and its app.
pub async fn verified(db: &mut AnyConnection) -> Result<Vec<(String, AppId)>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT host, app FROM domains WHERE verified = 1").fetch_all(db).await?;
    rows.into_iter().map(|(host, app)| Ok((host, codec::id(app)?))).collect()
}
