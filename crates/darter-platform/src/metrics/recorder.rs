//! Numbers of requests, counted in memory and handed to the store minute by minute.
//!
//! [`Recorder::record`] is called on the hot path: it takes one short lock, allocates only for what is new in this
//! minute, and never waits for the store. Names of functions come out of a sandbox: how many are kept is bounded.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};

use darter_core::record::RequestRecord;
use darter_core::{AppId, Millis, function};
use dashmap::DashMap;

use super::histogram::Histogram;

pub const MINUTE: Millis = 60_000;
pub const QUARTER: Millis = 15 * MINUTE;
/// Different functions that one app is counted by; the rest is counted together.
const FUNCTION_LIMIT: usize = 1_200;
const OTHER: &str = "(other)";
/// Starts of one app that may wait for the store.
const START_LIMIT: usize = 50;

/// One function in one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct MinuteRow {
    pub app: AppId,
    pub function: String,
    pub minute: i64,
    /// Tells rows of the same minute apart that were counted separately.
    pub writer: i64,
    pub calls: u64,
    pub errors: u64,
    pub starts: u64,
    pub histogram: Histogram,
}

/// One app in one quarter of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarterRow {
    pub app: AppId,
    pub quarter: i64,
    pub writer: i64,
    pub calls: u64,
    pub errors: u64,
}

/// One cold start, its phases as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRow {
    pub app: AppId,
    pub time: Millis,
    pub sequence: i64,
    pub phases: String,
}

/// What has changed since the last time it was asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    pub minutes: Vec<MinuteRow>,
    pub quarters: Vec<QuarterRow>,
    pub starts: Vec<StartRow>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.quarters.is_empty() && self.starts.is_empty()
    }
}

#[derive(Debug, Default)]
struct Cell {
    writer: i64,
    calls: u64,
    errors: u64,
    starts: u64,
    histogram: Histogram,
    dirty: bool,
}

#[derive(Debug, Default)]
struct AppCells {
    functions: HashMap<String, BTreeMap<i64, Cell>>,
    quarters: BTreeMap<i64, Cell>,
    starts: Vec<StartRow>,
}

/// Counts requests of all apps.
#[derive(Debug)]
pub struct Recorder {
    apps: DashMap<AppId, AppCells>,
    sequence: AtomicI64,
}

impl Recorder {
    /// `now` makes this process's rows different from those of every other.
    pub fn new(now: Millis) -> Self {
        Self { apps: DashMap::new(), sequence: AtomicI64::new(now.saturating_mul(1_000)) }
    }

    /// Counts a request.
    pub fn record(&self, record: &RequestRecord) {
        match self.apps.get_mut(&record.app) {
            Some(mut cells) => self.count(&mut cells, record),
            None => self.count(&mut self.apps.entry(record.app.clone()).or_default(), record),
        }
    }

    fn count(&self, cells: &mut AppCells, record: &RequestRecord) {
        let known = cells.functions.contains_key(&record.function);
        let name = if known || (cells.functions.len() < FUNCTION_LIMIT && acceptable(&record.function)) {
            &record.function
        } else {
            OTHER
        };
        if !cells.functions.contains_key(name) {
            cells.functions.insert(name.to_owned(), BTreeMap::new());
        }
        if let Some(minutes) = cells.functions.get_mut(name) {
            self.add(minutes.entry(record.time.div_euclid(MINUTE)).or_default(), record);
        }
        self.add(cells.quarters.entry(record.time.div_euclid(QUARTER)).or_default(), record);
        if let Some(start) = record.start.as_ref().filter(|_| cells.starts.len() < START_LIMIT) {
            let (app, time, sequence) =
                (record.app.clone(), record.time, self.sequence.fetch_add(1, Ordering::Relaxed));
            cells.starts.extend(serde_json::to_string(start).ok().map(|phases| StartRow {
                app,
                time,
                sequence,
                phases,
            }));
        }
    }

    fn add(&self, cell: &mut Cell, record: &RequestRecord) {
        if cell.writer == 0 {
            cell.writer = self.sequence.fetch_add(1, Ordering::Relaxed);
        }
        cell.calls += 1;
        cell.errors += u64::from(record.status >= 500);
        cell.starts += u64::from(record.start.is_some());
        cell.histogram.record(record.duration_us);
        cell.dirty = true;
    }

    /// Takes what has changed, of one app or of all, and lets go of minutes that are over.
    pub fn take(&self, only: Option<&AppId>, now: Millis) -> Changes {
        let mut changes = Changes::default();
        match only {
            Some(app) => {
                if let Some(mut cells) = self.apps.get_mut(app) {
                    collect(app, &mut cells, now, &mut changes);
                }
            }
            None => {
                self.apps.iter_mut().for_each(|mut entry| {
                    let (app, cells) = entry.pair_mut();
                    collect(app, cells, now, &mut changes);
                });
                self.apps.retain(|_, cells| {
                    !(cells.functions.is_empty() && cells.quarters.is_empty() && cells.starts.is_empty())
                });
            }
        }
        changes
    }

    /// Gives back what could not be stored, to be taken again. A row that is still counted here holds it already.
    pub fn give_back(&self, changes: Changes) {
        for row in changes.minutes {
            let mut cells = self.apps.entry(row.app).or_default();
            let cell = cells.functions.entry(row.function).or_default().entry(row.minute).or_default();
            if cell.writer != row.writer {
                cell.writer = if cell.writer == 0 { row.writer } else { cell.writer };
                cell.calls += row.calls;
                cell.errors += row.errors;
                cell.starts += row.starts;
                cell.histogram.merge(&row.histogram);
            }
            cell.dirty = true;
        }
        for row in changes.quarters {
            let mut cells = self.apps.entry(row.app).or_default();
            let cell = cells.quarters.entry(row.quarter).or_default();
            if cell.writer != row.writer {
                cell.writer = if cell.writer == 0 { row.writer } else { cell.writer };
                cell.calls += row.calls;
                cell.errors += row.errors;
            }
            cell.dirty = true;
        }
        for row in changes.starts {
            self.apps.entry(row.app.clone()).or_default().starts.push(row);
        }
    }

    /// Lets go of an app that is gone.
    pub fn forget(&self, app: &AppId) {
        self.apps.remove(app);
    }
}

fn acceptable(name: &str) -> bool {
    name.is_empty() || function::validate_name(name).is_ok()
}

fn collect(app: &AppId, cells: &mut AppCells, now: Millis, changes: &mut Changes) {
    for (function, minutes) in &mut cells.functions {
        for (minute, cell) in minutes.iter_mut().filter(|(_, cell)| cell.dirty) {
            cell.dirty = false;
            changes.minutes.push(MinuteRow {
                app: app.clone(),
                function: function.clone(),
                minute: *minute,
                writer: cell.writer,
                calls: cell.calls,
                errors: cell.errors,
                starts: cell.starts,
                histogram: cell.histogram.clone(),
            });
        }
        minutes.retain(|minute, _| *minute == now.div_euclid(MINUTE));
    }
    for (quarter, cell) in cells.quarters.iter_mut().filter(|(_, cell)| cell.dirty) {
        cell.dirty = false;
        let (app, quarter, writer) = (app.clone(), *quarter, cell.writer);
        changes.quarters.push(QuarterRow { app, quarter, writer, calls: cell.calls, errors: cell.errors });
    }
    cells.quarters.retain(|quarter, _| *quarter == now.div_euclid(QUARTER));
    cells.functions.retain(|_, minutes| !minutes.is_empty());
    changes.starts.append(&mut cells.starts);
}

#[cfg(test)]
mod tests {
    use darter_core::record::StartPhases;

    use super::*;

    fn request(function: &str, time: Millis, status: u16) -> RequestRecord {
        RequestRecord {
            time,
            app: "aaaaaaaaaa".parse().unwrap(),
            function: function.into(),
            version: 1,
            request_id: String::new(),
            method: "GET".into(),
            status,
            duration_us: 1_000,
            request_bytes: 0,
            response_bytes: 0,
            start: None,
        }
    }

    #[test]
    fn only_failures_of_the_server_side_count_as_errors() {
        let recorder = Recorder::new(1);
        [200, 404, 500, 504].into_iter().for_each(|status| recorder.record(&request("hello", 5, status)));
        let changes = recorder.take(None, 5);
        assert_eq!((changes.minutes[0].calls, changes.minutes[0].errors), (4, 2));
        assert_eq!((changes.quarters[0].calls, changes.quarters[0].errors), (4, 2));
    }

    #[test]
    fn a_row_is_taken_again_only_when_it_has_grown() {
        let recorder = Recorder::new(1);
        recorder.record(&request("hello", 5, 200));
        let first = recorder.take(None, 5);
        assert!(recorder.take(None, 5).is_empty());
        recorder.record(&request("hello", 6, 200));
        let second = recorder.take(None, 6);
        assert_eq!((first.minutes[0].writer, second.minutes[0].calls), (second.minutes[0].writer, 2));
    }

    #[test]
    fn a_clock_that_jumps_back_makes_a_new_row_instead_of_replacing_the_old_one() {
        let recorder = Recorder::new(1);
        recorder.record(&request("hello", 5, 200));
        let first = recorder.take(None, 10 * QUARTER);
        recorder.record(&request("hello", 5, 200));
        let second = recorder.take(None, 10 * QUARTER);
        assert_eq!(first.minutes[0].minute, second.minutes[0].minute);
        assert_ne!(first.minutes[0].writer, second.minutes[0].writer);
    }

    #[test]
    fn what_could_not_be_stored_is_not_lost() {
        let recorder = Recorder::new(1);
        let mut cold = request("hello", 5, 200);
        cold.start = Some(StartPhases { from: "pool".into(), phases: vec![("load".into(), 7)] });
        recorder.record(&cold);
        let changes = recorder.take(None, 10 * QUARTER);
        recorder.give_back(changes.clone());
        assert_eq!(recorder.take(None, 10 * QUARTER), changes);
    }

    #[test]
    fn names_from_a_hostile_sandbox_are_bounded() {
        let recorder = Recorder::new(1);
        for number in 0..5_000 {
            recorder.record(&request(&format!("f{number}"), 5, 200));
        }
        recorder.record(&request("../../etc", 5, 200));
        let changes = recorder.take(None, 5);
        assert_eq!(changes.minutes.len(), FUNCTION_LIMIT + 1);
        assert_eq!(changes.minutes.iter().map(|row| row.calls).sum::<u64>(), 5_001);
    }
}
