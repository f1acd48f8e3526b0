//! The recycle bin's end: what lay in it for 30 days goes for good.
//!
//! A clock that jumps must not empty the bin: nothing is purged until the wall clock has agreed with the monotonic one
//! for an hour since the start or the last jump.

use std::time::{Duration, Instant};

use darter_core::{AppId, Fault, Millis};
use darter_store::app;

use crate::Platform;

/// How long an app stays in the recycle bin.
pub const KEPT: Millis = 30 * 24 * 60 * 60 * 1_000;
/// The two clocks may differ by this much between two looks.
const TOLERANCE: Millis = 5 * 60 * 1_000;
/// How long they must agree before anything is purged.
const CALM: Duration = Duration::from_secs(60 * 60);

/// Has the wall clock been steady?
#[derive(Debug, Default)]
pub struct Steadiness {
    last: Option<(Millis, Instant)>,
    calm_since: Option<Instant>,
}

impl Steadiness {
    /// Takes a look at both clocks. True: they have agreed for an hour.
    pub fn look(&mut self, wall: Millis, monotonic: Instant) -> bool {
        let agrees = self.last.is_some_and(|(then, instant)| {
            let passed =
                Millis::try_from(monotonic.saturating_duration_since(instant).as_millis()).unwrap_or(Millis::MAX);
            (wall - then - passed).abs() <= TOLERANCE
        });
        self.last = Some((wall, monotonic));
        if !agrees {
            self.calm_since = Some(monotonic);
        }
        self.calm_since.is_some_and(|since| monotonic.saturating_duration_since(since) >= CALM)
    }
}

/// Purges what is due. Idempotent: an app that is gone already is passed over. Returns how many went.
pub async fn purge_recycled(platform: &Platform) -> Result<usize, Fault> {
    let due = {
        let mut tx = platform.store.read().await?;
        app::recycled_before(&mut tx, platform.clock.now() - KEPT).await?
    };
    let mut purged = 0;
    for id in due {
        let mut tx = platform.store.write().await?;
        let gone = app::remove(&mut tx, &id).await?;
        if gone {
            let details = serde_json::json!({ "why": "30 days in the recycle bin" });
            let change =
                crate::audit::Change { operation: "app.purge", object: id.to_string(), app: Some(&id), details };
            crate::audit::record(&mut tx, &crate::Actor::server(), change).await?;
        }
        tx.commit().await?;
        if gone {
            remove_for_good(platform, &id).await;
            purged += 1;
        }
    }
    Ok(purged)
}

/// Deletes what is kept outside of the control database. Safe to repeat.
pub(crate) async fn remove_for_good(platform: &Platform, id: &AppId) {
    platform.apps.routes.forget(id);
    platform.apps.bundles.changed(id);
    platform.apps.recorder.forget(id);
    if let Some(install) = platform.apps.installs.get(id) {
        install.cancel.cancel();
    }
    platform.engine.stop(id).await;
    platform.engine.forget(id).await;
    platform.apps.logs.forget(id).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_purged_until_the_clocks_have_agreed_for_an_hour() {
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(minutes * 60);
        let wall = |minutes: i64| 1_000_000 + minutes * 60_000;
        let year = 365 * 24 * 60;
        let mut steadiness = Steadiness::default();
        let rows = [
            (0, 0, false),
            (30, 30, false),
            (61, 61, true),
            // The wall clock jumps a year ahead, stays there, and is trusted again only after an hour.
            (62, 62 + year, false),
            (100, 100 + year, false),
            (123, 123 + year, true),
            // And back.
            (124, 124, false),
            (190, 190, true),
        ];
        for (monotonic, wall_minutes, expected) in rows {
            assert_eq!(steadiness.look(wall(wall_minutes), at(monotonic)), expected, "after {monotonic} minutes");
        }
    }
}
