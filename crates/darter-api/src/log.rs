//! Logs and metrics.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Position in the log; unique within the app and rising. Use as `after`.
    pub cursor: String,
    pub time: i64,
    /// `function` or `platform`
    pub source: String,
    /// `debug`, `info`, `warn`, `error`
    pub level: String,
    pub function: String,
    pub version: u32,
    pub request_id: String,
    pub message: String,
}

/// `GET /apps/{app}/logs` (newest first, paged) and `/logs/stream` (server-sent events, oldest first).
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    pub function: Option<String>,
    pub version: Option<u32>,
    pub request_id: Option<String>,
    /// This level and above.
    pub level: Option<String>,
    /// From this time (ms), included.
    pub since: Option<i64>,
    /// To this time (ms), excluded.
    pub until: Option<i64>,
    /// Text that the message contains, case-insensitive.
    pub text: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 1,000; 200 unless told.
    pub limit: Option<u32>,
}

/// `GET /apps/{app}/metrics?range=hour|day|week`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    pub since: i64,
    /// Width of a bucket in milliseconds.
    pub step: i64,
    pub functions: Vec<FunctionMetrics>,
    /// Over all functions, a bucket each.
    pub series: Vec<Bucket>,
    /// The latest cold starts, the newest first, at most 50.
    pub starts: Vec<Start>,
}

/// One function's numbers in the range.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FunctionMetrics {
    pub function: String,
    pub calls: u64,
    pub errors: u64,
    pub p50_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub starts: u64,
}

/// A span of time.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    pub time: i64,
    pub calls: u64,
    pub errors: u64,
    pub p50_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
}

/// A cold start.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Start {
    pub time: i64,
    pub from: String,
    pub phases: Vec<crate::function::Phase>,
}
