//! Packages of apps: wanted, installed, and the newest install.

use std::collections::BTreeMap;

use darter_core::{AppId, Millis};
use sqlx::AnyConnection;

use crate::{Result, codec};

/// What an app wants and has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// `name → range`
    pub wanted: BTreeMap<String, String>,
    /// `name → version`
    pub installed: BTreeMap<String, String>,
    pub lockfile: Option<String>,
    pub digest: Option<String>,
    pub bytes: u64,
}

/// An install. `state`: `running`, `installed`, `failed`, `interrupted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    pub id: String,
    pub state: String,
    pub phase: String,
    pub message: Option<String>,
    pub output: Vec<String>,
    pub started_at: Millis,
    pub ended_at: Option<Millis>,
}

type Row = (String, String, Option<String>, Option<String>, i64);
type InstallRow = (String, String, String, Option<String>, String, i64, Option<i64>);

/// What an app wants and has; nothing when it never wanted anything.
pub async fn get(db: &mut AnyConnection, app: &AppId) -> Result<Dependencies> {
    let row: Option<Row> =
        sqlx::query_as("SELECT wanted, installed, lockfile, digest, bytes FROM dependencies WHERE app = $1")
            .bind(app.as_str())
            .fetch_optional(db)
            .await?;
    let Some((wanted, installed, lockfile, digest, bytes)) = row else { return Ok(Dependencies::default()) };
    let bytes = u64::try_from(bytes).unwrap_or(0);
    Ok(Dependencies { wanted: codec::json(&wanted)?, installed: codec::json(&installed)?, lockfile, digest, bytes })
}

/// Writes what an app wants and has.
pub async fn set(db: &mut AnyConnection, app: &AppId, dependencies: &Dependencies) -> Result<()> {
    sqlx::query(
        "INSERT INTO dependencies (app, wanted, installed, lockfile, digest, bytes) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (app) DO UPDATE SET wanted = excluded.wanted, installed = excluded.installed,
             lockfile = excluded.lockfile, digest = excluded.digest, bytes = excluded.bytes",
    )
    .bind(app.as_str())
    .bind(codec::to_json(&dependencies.wanted)?)
    .bind(codec::to_json(&dependencies.installed)?)
    .bind(&dependencies.lockfile)
    .bind(&dependencies.digest)
    .bind(i64::try_from(dependencies.bytes).unwrap_or(i64::MAX))
    .execute(db)
    .await?;
    Ok(())
}

/// The app's newest install.
pub async fn install(db: &mut AnyConnection, app: &AppId) -> Result<Option<Install>> {
    let row: Option<InstallRow> =
        sqlx::query_as("SELECT id, state, phase, message, output, started_at, ended_at FROM installs WHERE app = $1")
            .bind(app.as_str())
            .fetch_optional(db)
            .await?;
    let Some((id, state, phase, message, output, started_at, ended_at)) = row else { return Ok(None) };
    Ok(Some(Install { id, state, phase, message, output: codec::json(&output)?, started_at, ended_at }))
}

/// Writes the app's newest install in the place of the one before.
pub async fn set_install(db: &mut AnyConnection, app: &AppId, install: &Install) -> Result<()> {
    sqlx::query(
        "INSERT INTO installs (app, id, state, phase, message, output, started_at, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (app) DO UPDATE SET id = excluded.id, state = excluded.state, phase = excluded.phase,
             message = excluded.message, output = excluded.output, started_at = excluded.started_at,
             ended_at = excluded.ended_at",
    )
    .bind(app.as_str())
    .bind(&install.id)
    .bind(&install.state)
    .bind(&install.phase)
    .bind(&install.message)
    .bind(codec::to_json(&install.output)?)
    .bind(install.started_at)
    .bind(install.ended_at)
    .execute(db)
    .await?;
    Ok(())
}

/// For the server itself, at its start: no install of a former process runs any more.
pub async fn interrupt_all(db: &mut AnyConnection, now: Millis, message: &str) -> Result<u64> {
    let done =
        sqlx::query("UPDATE installs SET state = 'interrupted', message = $1, ended_at = $2 WHERE state = 'running'")
            .bind(message)
            .bind(now)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}
