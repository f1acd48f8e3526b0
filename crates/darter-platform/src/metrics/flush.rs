//! From memory to the store. What can not be written is given back and tried again.

use darter_core::{AppId, Fault, Millis};
use darter_store::metric::{self, Minute, Quarter, Start};

use super::recorder::Changes;
use crate::Platform;

/// How long numbers are kept.
const KEPT: Millis = 8 * 24 * 60 * 60 * 1_000;

/// Writes what has changed, of all apps. Called every few seconds and at the end.
pub async fn flush_all(platform: &Platform) -> Result<(), Fault> {
    flush(platform, None).await
}

/// The same for one app, before its numbers are shown.
pub(super) async fn flush(platform: &Platform, only: Option<&AppId>) -> Result<(), Fault> {
    let changes = platform.apps.recorder.take(only, platform.clock.now());
    if changes.is_empty() {
        return Ok(());
    }
    let written = write(platform, &changes).await;
    if written.is_err() {
        platform.apps.recorder.give_back(changes);
    }
    written
}

async fn write(platform: &Platform, changes: &Changes) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    for row in &changes.minutes {
        let row = Minute {
            app: row.app.clone(),
            function: row.function.clone(),
            minute: row.minute,
            writer: row.writer,
            calls: row.calls,
            errors: row.errors,
            starts: row.starts,
            histogram: row.histogram.encode(),
        };
        metric::put_minute(&mut tx, &row).await?;
    }
    for row in &changes.quarters {
        let (app, quarter, writer) = (row.app.clone(), row.quarter, row.writer);
        metric::put_quarter(&mut tx, &Quarter { app, quarter, writer, calls: row.calls, errors: row.errors }).await?;
    }
    for row in &changes.starts {
        let (app, phases) = (row.app.clone(), row.phases.clone());
        metric::put_start(&mut tx, &Start { app, time: row.time, sequence: row.sequence, phases }).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Removes numbers that are too old. Returns how many rows went.
pub async fn remove_old(platform: &Platform) -> Result<u64, Fault> {
    let mut tx = platform.store.write().await?;
    let removed = metric::remove_before(&mut tx, platform.clock.now() - KEPT).await?;
    tx.commit().await?;
    Ok(removed)
}
