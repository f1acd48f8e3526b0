//! What an operator can set about workspaces. Checked before anything starts: a bad value names its key and the fix.

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Everything about workspaces on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspacesConfig {
    /// Starts at a time; the rest waits its turn.
    pub starts: usize,
    /// Starts that may wait; beyond it callers are told to come again.
    pub queue: usize,
    /// An editor that does not answer by then is started again.
    pub ready_timeout_ms: u64,
    /// How long an editor is given to end by itself.
    pub stop_grace_ms: u64,
    /// Frozen for this long, a workspace's memory is pushed out.
    pub reclaim_after_ms: u64,
    /// Size of `/tmp` and of `/dev/shm`, each. What is in them counts as memory.
    pub tmp_bytes: u64,
    pub pool: WorkspacePoolConfig,
}

/// Started sandboxes that belong to nobody yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspacePoolConfig {
    /// How many of each installed environment wait, whatever the demand.
    pub least: usize,
    /// Most of one environment, however many were just wanted.
    pub most: usize,
    /// Memory that all of them together may take.
    pub memory_bytes: u64,
    /// How long refilling waits after a start, so that it does not take the core that the new workspace needs.
    pub refill_after_ms: u64,
}

impl Default for WorkspacesConfig {
    fn default() -> Self {
        Self {
            starts: 4,
            queue: 500,
            ready_timeout_ms: 60_000,
            stop_grace_ms: 5_000,
            reclaim_after_ms: 60_000,
            tmp_bytes: 1 << 30,
            pool: WorkspacePoolConfig::default(),
        }
    }
}

impl Default for WorkspacePoolConfig {
    fn default() -> Self {
        Self { least: 1, most: 4, memory_bytes: 1 << 30, refill_after_ms: 300 }
    }
}

impl WorkspacesConfig {
    /// Checks every value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: &str| Err(ConfigError { key, problem: problem.to_owned() });
        if self.starts == 0 || self.starts > 256 {
            return wrong("engine.workspaces.starts", "must be 1–256");
        }
        if self.queue > 100_000 {
            return wrong("engine.workspaces.queue", "must be 0–100000");
        }
        if !(1_000..=600_000).contains(&self.ready_timeout_ms) || self.stop_grace_ms > 60_000 {
            return wrong(
                "engine.workspaces.ready_timeout_ms",
                "must be 1000–600000, and stop_grace_ms at most 60000: there is no \"never\"",
            );
        }
        if self.tmp_bytes < 1 << 20 {
            return wrong("engine.workspaces.tmp_bytes", "must be at least 1048576");
        }
        if self.pool.least > self.pool.most || self.pool.most > 64 {
            return wrong("engine.workspaces.pool.most", "must be at most 64 and not below `least`");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_names_its_key() {
        assert_eq!(WorkspacesConfig::default().validate(), Ok(()));
        let set = |change: fn(&mut WorkspacesConfig)| {
            let mut config = WorkspacesConfig::default();
            change(&mut config);
            config.validate().map_err(|error| error.key)
        };
        assert_eq!(set(|c| c.starts = 0), Err("engine.workspaces.starts"));
        assert_eq!(set(|c| c.queue = 1 << 20), Err("engine.workspaces.queue"));
        assert_eq!(set(|c| c.ready_timeout_ms = 0), Err("engine.workspaces.ready_timeout_ms"));
        assert_eq!(set(|c| c.tmp_bytes = 0), Err("engine.workspaces.tmp_bytes"));
        assert_eq!(set(|c| c.pool.least = 9), Err("engine.workspaces.pool.most"));
    }
}
