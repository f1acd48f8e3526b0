//! `[workspaces]`

use darter_core::workspace::{WorkspaceLimits, WorkspaceRest};
use darter_engine::config::ConfigError;
use darter_engine::workspace::WorkspacesConfig;
use darter_engine::workspace::config::WorkspacePoolConfig;
use darter_platform::workspace::WorkspaceConfig;
use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem};

/// How many workspaces there may be, what they may use, and when they rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workspaces {
    pub per_account: u32,
    pub total: u32,
    pub cpu_millis: u32,
    pub cpu_millis_most: u32,
    pub memory_bytes: u64,
    pub memory_bytes_most: u64,
    pub pids: u32,
    pub pids_most: u32,
    pub disk_bytes: u64,
    pub disk_bytes_most: u64,
    pub freeze_after_ms: u64,
    pub freeze_after_ms_most: u64,
    pub freeze_open_after_ms: u64,
    pub freeze_open_after_ms_most: u64,
    pub stop_after_ms: u64,
    pub stop_after_ms_most: u64,
    pub jobs_most_ms: u64,
    pub jobs_most_ms_most: u64,
    pub keep_most_ms: u64,
    pub temporary_ms: u64,
    pub recycle_ms: u64,
    pub snapshot_every_ms: u64,
    pub snapshots_keep: u32,
    pub visit_ms: u64,
    pub starts: u32,
    pub queue: u32,
    pub ready_timeout_ms: u64,
    pub pool_least: u32,
    pub pool_most: u32,
    pub pool_memory_bytes: u64,
}

pub const KEYS: &[Key] = &[
    Key::new("per_account", Kind::Number, "workspaces that one account may own, without those in the recycle bin"),
    Key::new("total", Kind::Number, "workspaces of everybody together"),
    Key::new("cpu_millis", Kind::Number, "thousandths of a core that a new workspace gets"),
    Key::new("cpu_millis_most", Kind::Number, "and that its owner can choose at most"),
    Key::new("memory_bytes", Kind::Number, "memory of a new workspace"),
    Key::new("memory_bytes_most", Kind::Number, "and that its owner can choose at most"),
    Key::new("pids", Kind::Number, "processes and threads of a new workspace"),
    Key::new("pids_most", Kind::Number, "and that its owner can choose at most"),
    Key::new("disk_bytes", Kind::Number, "size of a new workspace's home; only what is written takes room"),
    Key::new("disk_bytes_most", Kind::Number, "and that its owner can choose at most"),
    Key::new("freeze_after_ms", Kind::Number, "without input, jobs and connections for this long it is frozen"),
    Key::new("freeze_after_ms_most", Kind::Number, "and what its owner can choose at most"),
    Key::new(
        "freeze_open_after_ms",
        Kind::Number,
        "without input and jobs for this long it is frozen although a tab is open; the first byte brings it back",
    ),
    Key::new("freeze_open_after_ms_most", Kind::Number, "and what its owner can choose at most"),
    Key::new("stop_after_ms", Kind::Number, "frozen for this long it is stopped: only its files are kept"),
    Key::new("stop_after_ms_most", Kind::Number, "and what its owner can choose at most"),
    Key::new("jobs_most_ms", Kind::Number, "jobs alone keep it awake at most for this long after the last input"),
    Key::new("jobs_most_ms_most", Kind::Number, "and what its owner can choose at most"),
    Key::new("keep_most_ms", Kind::Number, "the longest \"keep awake\""),
    Key::new("temporary_ms", Kind::Number, "a temporary workspace that nobody used for this long goes for good"),
    Key::new("recycle_ms", Kind::Number, "how long a deleted workspace stays in the recycle bin"),
    Key::new(
        "snapshot_every_ms",
        Kind::Number,
        "a workspace that is used is saved this often; 0: only when somebody asks, and before risky steps",
    ),
    Key::new(
        "snapshots_keep",
        Kind::Number,
        "snapshots of one workspace that are kept besides those that somebody asked for",
    ),
    Key::new(
        "visit_ms",
        Kind::Number,
        "how long a browser may stay away from a workspace before it has to come by the console again",
    ),
    Key::new("starts", Kind::Number, "workspaces that start at a time; the rest waits its turn"),
    Key::new("queue", Kind::Number, "starts that may wait; beyond it people are told to come again"),
    Key::new("ready_timeout_ms", Kind::Number, "an editor that does not answer by then is started again"),
    Key::new("pool_least", Kind::Number, "started editors of each installed environment that wait for somebody"),
    Key::new("pool_most", Kind::Number, "and at most so many of one, however many were just wanted; 0: no pool"),
    Key::new("pool_memory_bytes", Kind::Number, "memory that all of them together may take"),
];

impl Default for Workspaces {
    fn default() -> Self {
        let config = WorkspaceConfig::default();
        let engine = WorkspacesConfig::default();
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            per_account: config.per_account,
            total: config.total,
            cpu_millis: config.limits.cpu_millis,
            cpu_millis_most: config.limits_most.cpu_millis,
            memory_bytes: config.limits.memory_bytes,
            memory_bytes_most: config.limits_most.memory_bytes,
            pids: config.limits.pids,
            pids_most: config.limits_most.pids,
            disk_bytes: config.limits.disk_bytes,
            disk_bytes_most: config.limits_most.disk_bytes,
            freeze_after_ms: config.rest.freeze_after_ms,
            freeze_after_ms_most: config.rest_most.freeze_after_ms,
            freeze_open_after_ms: config.rest.freeze_open_after_ms,
            freeze_open_after_ms_most: config.rest_most.freeze_open_after_ms,
            stop_after_ms: config.rest.stop_after_ms,
            stop_after_ms_most: config.rest_most.stop_after_ms,
            jobs_most_ms: config.rest.jobs_most_ms,
            jobs_most_ms_most: config.rest_most.jobs_most_ms,
            keep_most_ms: config.keep_most_ms,
            temporary_ms: config.temporary_ms,
            recycle_ms: config.recycle_ms,
            snapshot_every_ms: config.snapshot_every_ms,
            snapshots_keep: config.snapshots_keep,
            visit_ms: config.visit_ms,
            starts: small(engine.starts),
            queue: small(engine.queue),
            ready_timeout_ms: engine.ready_timeout_ms,
            pool_least: small(engine.pool.least),
            pool_most: small(engine.pool.most),
            pool_memory_bytes: engine.pool.memory_bytes,
        }
    }
}

impl Workspaces {
    /// The engine's part, checked.
    pub fn engine(&self) -> Result<WorkspacesConfig, Problem> {
        let least = self.pool_least.min(self.pool_most) as usize;
        let defaults = WorkspacesConfig::default();
        let pool = WorkspacePoolConfig {
            least,
            most: self.pool_most as usize,
            memory_bytes: self.pool_memory_bytes,
            ..defaults.pool
        };
        let config = WorkspacesConfig {
            starts: self.starts as usize,
            queue: self.queue as usize,
            ready_timeout_ms: self.ready_timeout_ms,
            pool,
            ..defaults
        };
        let key = |error: ConfigError| {
            error.key.replace("engine.workspaces.pool.", "workspaces.pool_").replace("engine.", "")
        };
        config
            .validate()
            .map_err(|error| Problem::new(key(error.clone()), error.problem, "choose a value in this range"))?;
        Ok(config)
    }

    /// The platform's configuration, which checks it.
    pub fn config(&self) -> WorkspaceConfig {
        WorkspaceConfig {
            per_account: self.per_account,
            total: self.total,
            limits: WorkspaceLimits {
                cpu_millis: self.cpu_millis,
                memory_bytes: self.memory_bytes,
                pids: self.pids,
                disk_bytes: self.disk_bytes,
            },
            limits_most: WorkspaceLimits {
                cpu_millis: self.cpu_millis_most,
                memory_bytes: self.memory_bytes_most,
                pids: self.pids_most,
                disk_bytes: self.disk_bytes_most,
            },
            rest: WorkspaceRest {
                freeze_after_ms: self.freeze_after_ms,
                freeze_open_after_ms: self.freeze_open_after_ms,
                stop_after_ms: self.stop_after_ms,
                jobs_most_ms: self.jobs_most_ms,
            },
            rest_most: WorkspaceRest {
                freeze_after_ms: self.freeze_after_ms_most,
                freeze_open_after_ms: self.freeze_open_after_ms_most,
                stop_after_ms: self.stop_after_ms_most,
                jobs_most_ms: self.jobs_most_ms_most,
            },
            keep_most_ms: self.keep_most_ms,
            temporary_ms: self.temporary_ms,
            recycle_ms: self.recycle_ms,
            snapshot_every_ms: self.snapshot_every_ms,
            snapshots_keep: self.snapshots_keep,
            visit_ms: self.visit_ms,
        }
    }
}
