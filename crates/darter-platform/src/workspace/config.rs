//! What the operator decides about workspaces.

use darter_core::Millis;
use darter_core::workspace::{WorkspaceLimits, WorkspaceRest};
use serde::Deserialize;

use crate::config::ConfigProblem;

const DAY: u64 = 86_400_000;

/// Everything that the operator decides about workspaces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceConfig {
    /// Workspaces that one account may own, without those in the recycle bin.
    pub per_account: u32,
    /// Workspaces of everybody together.
    pub total: u32,
    /// What a new one gets.
    pub limits: WorkspaceLimits,
    /// What an owner can choose at most.
    pub limits_most: WorkspaceLimits,
    pub rest: WorkspaceRest,
    pub rest_most: WorkspaceRest,
    /// The longest "keep".
    pub keep_most_ms: u64,
    /// A temporary workspace that nobody has wanted for this long goes for good.
    pub temporary_ms: u64,
    /// How long a deleted one stays in the recycle bin.
    pub recycle_ms: u64,
    /// A workspace that is used is saved this often; 0: only when somebody asks, and before risky steps.
    pub snapshot_every_ms: u64,
    /// Snapshots of one workspace that are kept besides those that somebody asked for.
    pub snapshots_keep: u32,
    /// How long a browser may stay away from a workspace's host before it has to come by the console again.
    pub visit_ms: u64,
}

impl Default for WorkspaceConfig {
    fn default() -> Self {
        Self {
            per_account: 20,
            total: 10_000,
            limits: WorkspaceLimits::default(),
            limits_most: WorkspaceLimits {
                cpu_millis: 8_000,
                memory_bytes: 8 << 30,
                pids: 8_192,
                disk_bytes: 50 << 30,
            },
            rest: WorkspaceRest::default(),
            rest_most: WorkspaceRest {
                freeze_after_ms: DAY,
                freeze_open_after_ms: DAY,
                stop_after_ms: 7 * DAY,
                jobs_most_ms: 7 * DAY,
            },
            keep_most_ms: DAY,
            temporary_ms: DAY,
            recycle_ms: 30 * DAY,
            snapshot_every_ms: DAY / 4,
            snapshots_keep: 20,
            visit_ms: 7 * DAY,
        }
    }
}

impl WorkspaceConfig {
    /// Everything that can not be; keys as they are called in the section `[workspaces]`.
    pub fn validate(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let checks = [
            (self.limits_most.validate(&WorkspaceLimits::MOST), "_most"),
            (self.rest_most.validate(&WorkspaceRest::MOST), "_most"),
            (self.limits.validate(&self.limits_most), ""),
            (self.rest.validate(&self.rest_most), ""),
        ];
        for (fault, suffix) in checks.into_iter().filter_map(|(checked, suffix)| Some((checked.err()?, suffix))) {
            let limit = fault.details.iter().find(|(name, _)| *name == "limit").and_then(|(_, value)| value.as_str());
            problems.push(ConfigProblem {
                key: format!("workspaces.{}{suffix}", limit.unwrap_or_default()),
                what: fault.message.clone(),
                fix: "a default lies between the smallest value and the key's `_most`",
            });
        }
        let spans = [
            ("keep_most_ms", self.keep_most_ms),
            ("temporary_ms", self.temporary_ms),
            ("recycle_ms", self.recycle_ms),
            ("visit_ms", self.visit_ms),
        ];
        for (key, value) in spans {
            if !(1_000..=3_650 * DAY).contains(&value) {
                problems.push(ConfigProblem {
                    key: format!("workspaces.{key}"),
                    what: format!("{value} is out of range"),
                    fix: "choose milliseconds from 1000 to 315360000000 (ten years)",
                });
            }
        }
        if self.snapshot_every_ms != 0 && !(60_000..=3_650 * DAY).contains(&self.snapshot_every_ms) {
            problems.push(ConfigProblem {
                key: "workspaces.snapshot_every_ms".to_owned(),
                what: format!("{} is out of range", self.snapshot_every_ms),
                fix: "choose 0 for none, or milliseconds from 60000 on",
            });
        }
        problems
    }
}

/// A span of the configuration as the clock counts.
pub(crate) fn millis(span: u64) -> Millis {
    Millis::try_from(span).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right_and_each_mistake_is_named_by_its_key() {
        assert_eq!(WorkspaceConfig::default().validate(), Vec::new());
        let mut wrong = WorkspaceConfig { keep_most_ms: 0, ..WorkspaceConfig::default() };
        wrong.limits.memory_bytes = 9 << 30;
        wrong.rest_most.stop_after_ms = u64::MAX;
        let keys: Vec<String> = wrong.validate().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["workspaces.stop_after_ms_most", "workspaces.memory_bytes", "workspaces.keep_most_ms"]);
    }
}
