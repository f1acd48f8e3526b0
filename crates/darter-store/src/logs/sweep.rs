//! Keeps all apps' logs together within the total: the oldest full segment of any app goes first.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use darter_core::AppId;

use super::append::Shared;

/// Bytes under the folder, two levels deep.
pub fn measure(folder: &Path) -> u64 {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = folders.flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten().flatten());
    files.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Deletes segments until a tenth of the total is free again. Returns the bytes that are left.
pub fn shrink_all(shared: &Arc<Shared>) -> u64 {
    let goal = shared.options.total_bytes / 10 * 9;
    let mut total = measure(&shared.options.folder);
    let mut logs = load_all(shared);
    while total > goal {
        logs.sort_by_key(|(time, _)| *time);
        let Some((time, log)) = logs.first_mut() else { break };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        match log.delete_oldest() {
            Ok(freed) if freed > 0 => total = total.saturating_sub(freed),
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(%error, "an old log segment could not be deleted");
                break;
            }
        }
        *time = log.oldest_time().unwrap_or(i64::MAX);
    }
    total
}

fn load_all(shared: &Arc<Shared>) -> Vec<(i64, Arc<std::sync::Mutex<super::index::AppLog>>)> {
    let folders = fs::read_dir(&shared.options.folder).into_iter().flatten().flatten();
    let ids = folders.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<AppId>().ok()));
    ids.filter_map(|app| {
        let log = shared.app(&app).ok()?;
        let oldest = log.lock().unwrap_or_else(PoisonError::into_inner).oldest_time()?;
        Some((oldest, log))
    })
    .collect()
}
