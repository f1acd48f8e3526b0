//! `[runs]`

use darter_core::run::RunLimits;
use darter_engine::config::RunsConfig;
use serde::{Deserialize, Serialize};

use super::key::{Key, Kind};

/// Runs of snippets: how many, and what each may use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runs {
    pub concurrent: usize,
    pub pool: usize,
    pub queue: usize,
    pub cache_bytes: u64,
    pub cpu_ms: u64,
    pub cpu_ms_most: u64,
    pub wall_ms: u64,
    pub wall_ms_most: u64,
    pub memory_bytes: u64,
    pub memory_bytes_most: u64,
    pub pids: u64,
    pub pids_most: u64,
    pub disk_bytes: u64,
    pub disk_bytes_most: u64,
    pub output_bytes: u64,
    pub output_bytes_most: u64,
}

pub const KEYS: &[Key] = &[
    Key::new("concurrent", Kind::Number, "runs at a time, over all accounts; 0: two for each core of the machine"),
    Key::new(
        "pool",
        Kind::Number,
        "interpreters of a language that wait, started, for a program, once the language is used; 0: none",
    ),
    Key::new("queue", Kind::Number, "runs that may wait for their turn; accounts take turns"),
    Key::new("cache_bytes", Kind::Number, "what compilers have made is kept in memory up to so many bytes"),
    Key::new("cpu_ms", Kind::Number, "processor time of a run that asks for nothing, all threads together"),
    Key::new("cpu_ms_most", Kind::Number, "the most that one may ask for"),
    Key::new("wall_ms", Kind::Number, "time from a program's start to its end"),
    Key::new("wall_ms_most", Kind::Number, "the most that one may ask for"),
    Key::new("memory_bytes", Kind::Number, "memory of a run; a language that needs more by itself gets more"),
    Key::new("memory_bytes_most", Kind::Number, "the most that one may ask for"),
    Key::new("pids", Kind::Number, "processes and threads of a run"),
    Key::new("pids_most", Kind::Number, "the most that one may ask for"),
    Key::new("disk_bytes", Kind::Number, "size of the folder that a run works in, and of its `/tmp`; held in memory"),
    Key::new("disk_bytes_most", Kind::Number, "the most that one may ask for"),
    Key::new("output_bytes", Kind::Number, "what a run may write to standard output, and to standard error"),
    Key::new("output_bytes_most", Kind::Number, "the most that one may ask for"),
];

impl Default for Runs {
    fn default() -> Self {
        let RunsConfig { concurrent, pool, queue, cache_bytes, usual, most } = RunsConfig::default();
        Self {
            concurrent,
            pool,
            queue,
            cache_bytes,
            cpu_ms: usual.cpu_ms,
            cpu_ms_most: most.cpu_ms,
            wall_ms: usual.wall_ms,
            wall_ms_most: most.wall_ms,
            memory_bytes: usual.memory_bytes,
            memory_bytes_most: most.memory_bytes,
            pids: usual.pids,
            pids_most: most.pids,
            disk_bytes: usual.disk_bytes,
            disk_bytes_most: most.disk_bytes,
            output_bytes: usual.output_bytes,
            output_bytes_most: most.output_bytes,
        }
    }
}

impl Runs {
    /// As the engine is told it.
    pub fn config(&self) -> RunsConfig {
        let usual = RunLimits {
            cpu_ms: self.cpu_ms,
            wall_ms: self.wall_ms,
            memory_bytes: self.memory_bytes,
            pids: self.pids,
            disk_bytes: self.disk_bytes,
            output_bytes: self.output_bytes,
        };
        let most = RunLimits {
            cpu_ms: self.cpu_ms_most,
            wall_ms: self.wall_ms_most,
            memory_bytes: self.memory_bytes_most,
            pids: self.pids_most,
            disk_bytes: self.disk_bytes_most,
            output_bytes: self.output_bytes_most,
        };
        RunsConfig {
            concurrent: self.concurrent,
            pool: self.pool,
            queue: self.queue,
            cache_bytes: self.cache_bytes,
            usual,
            most,
        }
    }
}
