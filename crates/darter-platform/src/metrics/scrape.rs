//! What Prometheus gets from `/metrics` on the admin address.

use std::collections::BTreeMap;

use super::exposition::Snapshot;
use crate::Platform;
use crate::app::instance_word;

/// The server's numbers as text (OpenMetrics). Asks memory only.
pub fn metrics_text(platform: &Platform) -> String {
    let apps = &platform.apps;
    let (all, stopped) = apps.routes.count();
    let mut instances: BTreeMap<&'static str, i64> =
        ["starting", "active", "idle", "frozen", "stopping"].map(|state| (state, 0)).into();
    let mut in_flight = 0;
    for app in apps.routes.ids() {
        for instance in platform.engine.status(&app) {
            *instances.entry(instance_word(instance.state)).or_default() += 1;
            in_flight += i64::from(instance.in_flight);
        }
    }
    apps.exposition.text(&Snapshot {
        apps: vec![("running", number(all - stopped)), ("stopped", number(stopped))],
        instances: instances.into_iter().collect(),
        in_flight,
        log_lines_dropped: apps.logs.losses().dropped,
        log_bytes_waiting: i64::try_from(apps.logs.pending_bytes()).unwrap_or(i64::MAX),
        language_servers: number(apps.languages.count()),
        installs: number(apps.installs.count()),
    })
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
