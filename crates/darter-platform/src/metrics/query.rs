//! Numbers of one app over an hour, a day or a week.

use std::collections::BTreeMap;

use darter_api::app::Day;
use darter_api::function::Phase;
use darter_api::log::{Bucket, FunctionMetrics, Metrics, Start};
use darter_core::record::StartPhases;
use darter_core::{AppId, Fault, Millis};
use darter_store::metric::Minute;
use darter_store::{Tx, metric};

use super::flush::flush;
use super::histogram::Histogram;
use super::recorder::{MINUTE, QUARTER};
use crate::access::Opened;
use crate::{Actor, Platform};

/// Starts that are shown.
const START_LIMIT: u32 = 50;
/// Quarters of an hour in a day.
const QUARTERS: i64 = 96;

#[derive(Default)]
struct Sum {
    calls: u64,
    errors: u64,
    starts: u64,
    histogram: Histogram,
}

impl Sum {
    fn add(&mut self, row: &Minute, histogram: &Histogram) {
        self.calls += row.calls;
        self.errors += row.errors;
        self.starts += row.starts;
        self.histogram.merge(histogram);
    }
}

/// Width of a bucket and how many there are.
fn span(range: &str) -> Result<(Millis, i64), Fault> {
    match range {
        "hour" => Ok((MINUTE, 60)),
        "" | "day" => Ok((QUARTER, QUARTERS)),
        "week" => Ok((60 * MINUTE, 168)),
        _ => Err(Fault::invalid("metrics.range_unknown", "Choose one of hour, day, week.")),
    }
}

/// Calls, errors and latencies of an app, by function and over time.
pub async fn metrics(platform: &Platform, actor: &Actor, app: &AppId, range: &str) -> Result<Metrics, Fault> {
    let (step, count) = span(range)?;
    drop(Opened::read(platform, actor, app).await?);
    flush(platform, Some(app)).await?;
    let last = platform.clock.now().div_euclid(step);
    let since = (last - count + 1) * step;
    let mut tx = platform.store.read().await?;
    let rows = metric::minutes(&mut tx, app, since / MINUTE, (last + 1) * step / MINUTE).await?;
    let starts = metric::starts(&mut tx, app, since, START_LIMIT).await?;
    let mut buckets: BTreeMap<i64, Sum> = (0..count).map(|number| (since + number * step, Sum::default())).collect();
    let mut functions: BTreeMap<&str, Sum> = BTreeMap::new();
    for row in &rows {
        let histogram = Histogram::decode(&row.histogram);
        functions.entry(&row.function).or_default().add(row, &histogram);
        if let Some(bucket) = buckets.get_mut(&((row.minute * MINUTE).div_euclid(step) * step)) {
            bucket.add(row, &histogram);
        }
    }
    Ok(Metrics {
        since,
        step,
        functions: functions.into_iter().map(|(name, sum)| of_function(name, &sum)).collect(),
        series: buckets.into_iter().map(|(time, sum)| bucket(time, &sum)).collect(),
        starts: starts.into_iter().filter_map(start).collect(),
    })
}

fn of_function(name: &str, sum: &Sum) -> FunctionMetrics {
    FunctionMetrics {
        function: name.to_owned(),
        calls: sum.calls,
        errors: sum.errors,
        p50_us: sum.histogram.percentile(0.5),
        p95_us: sum.histogram.percentile(0.95),
        p99_us: sum.histogram.percentile(0.99),
        starts: sum.starts,
    }
}

fn bucket(time: Millis, sum: &Sum) -> Bucket {
    Bucket {
        time,
        calls: sum.calls,
        errors: sum.errors,
        p50_us: sum.histogram.percentile(0.5),
        p95_us: sum.histogram.percentile(0.95),
        p99_us: sum.histogram.percentile(0.99),
    }
}

fn start((time, phases): (Millis, String)) -> Option<Start> {
    let phases: StartPhases = serde_json::from_str(&phases).ok()?;
    let shown = phases.phases.into_iter().map(|(name, us)| Phase { name, us });
    Some(Start { time, from: phases.from, phases: shown.collect() })
}

/// The picture of an app's last day, as far as it is in the store: at most a few seconds behind.
pub(crate) async fn day(platform: &Platform, tx: &mut Tx, app: &AppId) -> Result<Day, Fault> {
    let last = platform.clock.now().div_euclid(QUARTER);
    let first = last - QUARTERS + 1;
    let mut day = Day { calls: vec![0; QUARTERS as usize], errors: vec![0; QUARTERS as usize] };
    for (quarter, calls, errors) in metric::quarters(tx, app, first).await? {
        if let Some(at) = usize::try_from(quarter - first).ok().filter(|at| *at < QUARTERS as usize) {
            (day.calls[at], day.errors[at]) = (calls, errors);
        }
    }
    Ok(day)
}
