//! The server's own numbers as Prometheus reads them. No name of an app, function or person is a label: those are
//! unbounded and private, and their numbers are in the API.

use std::sync::atomic::Ordering;

use darter_core::record::RequestRecord;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds in seconds, from what a hot answer takes to the longest timeout of most apps.
const SECONDS: [f64; 16] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Class {
    class: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// What is looked up at the moment of a scrape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `("running", 3)` …
    pub apps: Vec<(&'static str, i64)>,
    pub instances: Vec<(&'static str, i64)>,
    pub in_flight: i64,
    pub log_lines_dropped: u64,
    pub log_bytes_waiting: i64,
    pub language_servers: i64,
    pub installs: i64,
}

/// Counters that live as long as the process.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
    requests: Family<Class, Counter>,
    duration: Histogram,
    received: Counter,
    sent: Counter,
    cold_starts: Counter,
    start_duration: Histogram,
    dropped: Counter,
    apps: Family<State, Gauge>,
    instances: Family<State, Gauge>,
    in_flight: Gauge,
    log_waiting: Gauge,
    language_servers: Gauge,
    installs: Gauge,
    resident: Gauge,
}

impl Default for Exposition {
    fn default() -> Self {
        let mut exposition = Self {
            registry: Registry::with_prefix("darter"),
            requests: Family::default(),
            duration: Histogram::new(SECONDS),
            received: Counter::default(),
            sent: Counter::default(),
            cold_starts: Counter::default(),
            start_duration: Histogram::new(SECONDS),
            dropped: Counter::default(),
            apps: Family::default(),
            instances: Family::default(),
            in_flight: Gauge::default(),
            log_waiting: Gauge::default(),
            language_servers: Gauge::default(),
            installs: Gauge::default(),
            resident: Gauge::default(),
        };
        exposition.register();
        exposition
    }
}

impl Exposition {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "Answers to callers of apps, by class of status", self.requests.clone());
        registry.register(
            "request_duration_seconds",
            "From the head of a request to the end of its answer",
            self.duration.clone(),
        );
        registry.register("request_bytes", "Bytes of request bodies", self.received.clone());
        registry.register("response_bytes", "Bytes of answers", self.sent.clone());
        registry.register("cold_starts", "Requests that waited for a start or a thaw", self.cold_starts.clone());
        registry.register("start_duration_seconds", "How long those starts took", self.start_duration.clone());
        registry.register(
            "log_lines_dropped",
            "Log lines that came faster than they could be kept",
            self.dropped.clone(),
        );
        registry.register("apps", "Apps by state", self.apps.clone());
        registry.register("instances", "Instances by state", self.instances.clone());
        registry.register("requests_in_flight", "Requests inside instances", self.in_flight.clone());
        registry.register("log_bytes_waiting", "Bytes of log lines that wait to be written", self.log_waiting.clone());
        registry.register("language_servers", "Language servers that run", self.language_servers.clone());
        registry.register("installs", "Dependency installs that run", self.installs.clone());
        registry.register("resident_memory_bytes", "Memory of this process", self.resident.clone());
    }

    /// Counts an answer. Never blocks for long: counters are atomic, histograms take a short lock.
    pub fn count(&self, record: &RequestRecord) {
        self.requests.get_or_create(&Class { class: class(record.status) }).inc();
        self.duration.observe(seconds(record.duration_us));
        self.received.inc_by(record.request_bytes);
        self.sent.inc_by(record.response_bytes);
        if let Some(start) = &record.start {
            self.cold_starts.inc();
            self.start_duration.observe(seconds(start.total_us()));
        }
    }

    /// The text that a scrape gets (OpenMetrics).
    pub fn text(&self, snapshot: &Snapshot) -> String {
        for (state, count) in &snapshot.apps {
            self.apps.get_or_create(&State { state }).set(*count);
        }
        for (state, count) in &snapshot.instances {
            self.instances.get_or_create(&State { state }).set(*count);
        }
        self.dropped.inner().store(snapshot.log_lines_dropped, Ordering::Relaxed);
        self.in_flight.set(snapshot.in_flight);
        self.log_waiting.set(snapshot.log_bytes_waiting);
        self.language_servers.set(snapshot.language_servers);
        self.installs.set(snapshot.installs);
        self.resident.set(resident_bytes());
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "the metrics could not be written as text");
        }
        text
    }
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// 0 where the kernel does not say.
fn resident_bytes() -> i64 {
    let pages =
        std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<i64>().ok());
    pages.unwrap_or(0) * 4_096
}

#[cfg(test)]
mod tests {
    use darter_core::record::StartPhases;

    use super::*;

    #[test]
    fn a_scrape_shows_what_was_counted_and_no_name_of_a_tenant() {
        let exposition = Exposition::default();
        exposition.count(&RequestRecord {
            time: 1,
            app: "tenantsapp".parse().unwrap(),
            function: "secretname".into(),
            version: 1,
            request_id: String::new(),
            method: "GET".into(),
            status: 503,
            duration_us: 700,
            request_bytes: 10,
            response_bytes: 20,
            start: Some(StartPhases { from: "pool".into(), phases: vec![("load".into(), 900)] }),
        });
        let text =
            exposition.text(&Snapshot { apps: vec![("running", 3)], log_lines_dropped: 7, ..Snapshot::default() });
        for line in [
            "darter_requests_total{class=\"5xx\"} 1",
            "darter_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "darter_cold_starts_total 1",
            "darter_apps{state=\"running\"} 3",
            "darter_log_lines_dropped_total 7",
            "darter_response_bytes_total 20",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("tenantsapp") && !text.contains("secretname"));
    }
}
