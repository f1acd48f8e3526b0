//! What has to be done again and again: numbers and counts of attempts to the store, old numbers and old apps away.
//!
//! Each step is idempotent and may fail: the next round tries again. Takes no input but the store and the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::app::{Steadiness, keep_all, purge_recycled};
use crate::{Platform, metrics};

/// How often numbers are written. A crash costs at most this much of them.
const FLUSH: Duration = Duration::from_secs(2);
/// How often apps that want instances are given them: one that ended, or could not be started, is missed no longer.
const KEEP: Duration = Duration::from_secs(2);
/// How often old things are looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// Works until `stop`; then writes what is left.
pub async fn keep_apps(platform: Arc<Platform>, stop: CancellationToken) {
    let mut flush = tokio::time::interval(FLUSH);
    let mut keep = tokio::time::interval(KEEP);
    let mut sweep = tokio::time::interval(SWEEP);
    let mut steadiness = Steadiness::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = flush.tick() => {
                said("writing the numbers of apps", metrics::flush_all(&platform).await);
                said("writing counts of attempts", platform.guesses.write(&platform.store).await);
            }
            _ = keep.tick() => keep_all(&platform),
            _ = sweep.tick() => {
                said("removing old numbers of apps", metrics::remove_old(&platform).await);
                if steadiness.look(platform.clock.now(), Instant::now()) {
                    said("emptying the recycle bin", purge_recycled(&platform).await);
                }
            }
        }
    }
    said("writing the numbers of apps", metrics::flush_all(&platform).await);
    said("writing counts of attempts", platform.guesses.write(&platform.store).await);
    platform.apps.logs.flush().await;
}

fn said<T>(what: &str, result: Result<T, darter_core::Fault>) {
    if let Err(fault) = result {
        tracing::warn!(%fault, cause = ?fault.cause, "{what} failed; it is tried again");
    }
}
