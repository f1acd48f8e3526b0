//! Records that many parts produce and one part keeps: log lines, requests, starts.

use serde::{Deserialize, Serialize};

use crate::{AppId, Millis};

/// How bad a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Who wrote a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The tenant's code.
    Function,
    /// Darter, about the tenant's app (started, crashed, out of memory, endless loop …).
    Platform,
}

/// One line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    pub time: Millis,
    pub app: AppId,
    pub source: LogSource,
    pub level: Level,
    /// Empty when no function is concerned.
    pub function: String,
    /// 0: a draft, or none.
    pub version: u32,
    pub request_id: String,
    /// At most 16 KiB.
    pub message: String,
}

/// The phases of a cold start, in microseconds, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartPhases {
    /// What the instance was before: `pool`, `empty` (no pool slot was ready) or `frozen`.
    pub from: String,
    /// `("pool", 300), ("mount", 900), ("load", 1800)` …
    pub phases: Vec<(String, u64)>,
}

impl StartPhases {
    /// The whole start, in microseconds.
    pub fn total_us(&self) -> u64 {
        self.phases.iter().map(|(_, us)| us).sum()
    }
}

/// One request that the gateway answered for an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    pub time: Millis,
    pub app: AppId,
    pub function: String,
    pub version: u32,
    pub request_id: String,
    pub method: String,
    pub status: u16,
    pub duration_us: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Present when this request had to wait for a start.
    pub start: Option<StartPhases>,
}
