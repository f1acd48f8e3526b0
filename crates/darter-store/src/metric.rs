//! Numbers of requests, by minute and function, and by quarter of an hour and app.
//!
//! A row belongs to the writer that counted it; writing it again replaces it, readers add the rows of all writers up.

use darter_core::{AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// One function in one minute, counted by one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    pub app: AppId,
    pub function: String,
    pub minute: i64,
    pub writer: i64,
    pub calls: u64,
    pub errors: u64,
    pub starts: u64,
    pub histogram: String,
}

/// One app in one quarter of an hour, counted by one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarter {
    pub app: AppId,
    pub quarter: i64,
    pub writer: i64,
    pub calls: u64,
    pub errors: u64,
}

/// One cold start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub app: AppId,
    pub time: Millis,
    pub sequence: i64,
    pub phases: String,
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Writes a minute. An app that is gone meanwhile is no error: nothing is written.
pub async fn put_minute(db: &mut AnyConnection, row: &Minute) -> Result<()> {
    sqlx::query(
        "INSERT INTO metrics (app, function, minute, writer, calls, errors, starts, histogram)
         SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM apps WHERE id = $1
         ON CONFLICT (app, minute, function, writer) DO UPDATE SET calls = excluded.calls, errors = excluded.errors,
             starts = excluded.starts, histogram = excluded.histogram",
    )
    .bind(row.app.as_str())
    .bind(&row.function)
    .bind(row.minute)
    .bind(row.writer)
    .bind(signed(row.calls))
    .bind(signed(row.errors))
    .bind(signed(row.starts))
    .bind(&row.histogram)
    .execute(db)
    .await?;
    Ok(())
}

/// Writes a quarter of an hour.
pub async fn put_quarter(db: &mut AnyConnection, row: &Quarter) -> Result<()> {
    sqlx::query(
        "INSERT INTO metric_quarters (app, quarter, writer, calls, errors)
         SELECT id, $2, $3, $4, $5 FROM apps WHERE id = $1
         ON CONFLICT (app, quarter, writer) DO UPDATE SET calls = excluded.calls, errors = excluded.errors",
    )
    .bind(row.app.as_str())
    .bind(row.quarter)
    .bind(row.writer)
    .bind(signed(row.calls))
    .bind(signed(row.errors))
    .execute(db)
    .await?;
    Ok(())
}

/// Writes a start.
pub async fn put_start(db: &mut AnyConnection, row: &Start) -> Result<()> {
    sqlx::query(
        "INSERT INTO starts (app, time, sequence, phases) SELECT id, $2, $3, $4 FROM apps WHERE id = $1
         ON CONFLICT (app, time, sequence) DO NOTHING",
    )
    .bind(row.app.as_str())
    .bind(row.time)
    .bind(row.sequence)
    .bind(&row.phases)
    .execute(db)
    .await?;
    Ok(())
}

/// An app's minutes in `from <= minute < to`.
pub async fn minutes(db: &mut AnyConnection, app: &AppId, from: i64, to: i64) -> Result<Vec<Minute>> {
    let rows: Vec<(String, i64, i64, i64, i64, i64, String)> = sqlx::query_as(
        "SELECT function, minute, writer, calls, errors, starts, histogram FROM metrics
         WHERE app = $1 AND minute >= $2 AND minute < $3",
    )
    .bind(app.as_str())
    .bind(from)
    .bind(to)
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(function, minute, writer, calls, errors, starts, histogram)| Minute {
            app: app.clone(),
            function,
            minute,
            writer,
            calls: unsigned(calls),
            errors: unsigned(errors),
            starts: unsigned(starts),
            histogram,
        })
        .collect())
}

/// An app's quarters from one on: `(quarter, calls, errors)`, all writers together.
pub async fn quarters(db: &mut AnyConnection, app: &AppId, from: i64) -> Result<Vec<(i64, u64, u64)>> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT quarter, CAST(SUM(calls) AS BIGINT), CAST(SUM(errors) AS BIGINT) FROM metric_quarters
         WHERE app = $1 AND quarter >= $2 GROUP BY quarter",
    )
    .bind(app.as_str())
    .bind(from)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(quarter, calls, errors)| (quarter, unsigned(calls), unsigned(errors))).collect())
}

/// An app's latest starts from a time on, the newest first.
pub async fn starts(db: &mut AnyConnection, app: &AppId, from: Millis, limit: u32) -> Result<Vec<(Millis, String)>> {
    Ok(sqlx::query_as(
        "SELECT time, phases FROM starts WHERE app = $1 AND time >= $2 ORDER BY time DESC, sequence DESC LIMIT $3",
    )
    .bind(app.as_str())
    .bind(from)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?)
}

/// For the server itself: removes what is older than a time. Returns how many rows went.
pub async fn remove_before(db: &mut AnyConnection, time: Millis) -> Result<u64> {
    let minutes =
        sqlx::query("DELETE FROM metrics WHERE minute < $1").bind(time.div_euclid(60_000)).execute(&mut *db).await?;
    let quarters = sqlx::query("DELETE FROM metric_quarters WHERE quarter < $1")
        .bind(time.div_euclid(900_000))
        .execute(&mut *db)
        .await?;
    let starts = sqlx::query("DELETE FROM starts WHERE time < $1").bind(time).execute(db).await?;
    Ok(u64::from(codec::count(signed(minutes.rows_affected() + quarters.rows_affected() + starts.rows_affected()))))
}
