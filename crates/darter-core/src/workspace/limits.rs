//! What a workspace may use, and when it goes to rest. Its owner sets both, within the operator's maxima.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// What a workspace may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceLimits {
    /// Thousandths of a core, summed over everything in it.
    pub cpu_millis: u32,
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Size of the home. It can grow, and shrinks only to what is in it.
    pub disk_bytes: u64,
}

impl Default for WorkspaceLimits {
    fn default() -> Self {
        Self { cpu_millis: 2_000, memory_bytes: 2 << 30, pids: 1_024, disk_bytes: 5 << 30 }
    }
}

impl WorkspaceLimits {
    /// The smallest values that an editor still starts with.
    pub const LEAST: Self = Self { cpu_millis: 100, memory_bytes: 64 << 20, pids: 32, disk_bytes: 16 << 20 };
    /// The largest values that an operator can allow.
    pub const MOST: Self = Self { cpu_millis: 64_000, memory_bytes: 256 << 30, pids: 32_768, disk_bytes: 1 << 40 };

    fn rows(&self) -> [(&'static str, u64); 4] {
        [
            ("cpu_millis", self.cpu_millis.into()),
            ("memory_bytes", self.memory_bytes),
            ("pids", self.pids.into()),
            ("disk_bytes", self.disk_bytes),
        ]
    }

    /// Checks every limit against the operator's maximum; the fault names the first that is off, and what is allowed.
    pub fn validate(&self, most: &Self) -> Result<(), Fault> {
        within(&self.rows(), &Self::LEAST.rows(), &most.rows())
    }
}

/// When a workspace goes to rest. All in milliseconds.
///
/// Three signals are told apart: *input* (keys in the editor, a notebook or a terminal), *jobs* (a process that uses the
/// processor, a running cell), and open *connections*, which are weak: an open tab alone does not keep a workspace awake
/// for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceRest {
    /// Without input, jobs and connections for this long it is frozen.
    pub freeze_after_ms: u64,
    /// Without input and jobs for this long it is frozen although a tab is open. The first byte brings it back.
    pub freeze_open_after_ms: u64,
    /// Frozen for this long, it is stopped: only its files are kept.
    pub stop_after_ms: u64,
    /// Jobs alone keep it awake at most for this long after the last input.
    pub jobs_most_ms: u64,
}

impl Default for WorkspaceRest {
    fn default() -> Self {
        Self {
            freeze_after_ms: 5 * 60_000,
            freeze_open_after_ms: 30 * 60_000,
            stop_after_ms: 2 * 3_600_000,
            jobs_most_ms: 12 * 3_600_000,
        }
    }
}

impl WorkspaceRest {
    /// The shortest times.
    pub const LEAST: Self =
        Self { freeze_after_ms: 500, freeze_open_after_ms: 500, stop_after_ms: 500, jobs_most_ms: 1_000 };
    /// The longest times that an operator can allow.
    pub const MOST: Self = Self {
        freeze_after_ms: 30 * 86_400_000,
        freeze_open_after_ms: 30 * 86_400_000,
        stop_after_ms: 90 * 86_400_000,
        jobs_most_ms: 30 * 86_400_000,
    };

    fn rows(&self) -> [(&'static str, u64); 4] {
        [
            ("freeze_after_ms", self.freeze_after_ms),
            ("freeze_open_after_ms", self.freeze_open_after_ms),
            ("stop_after_ms", self.stop_after_ms),
            ("jobs_most_ms", self.jobs_most_ms),
        ]
    }

    /// Checks every time against the operator's maximum.
    pub fn validate(&self, most: &Self) -> Result<(), Fault> {
        within(&self.rows(), &Self::LEAST.rows(), &most.rows())
    }
}

type Rows = [(&'static str, u64); 4];

fn within(values: &Rows, least: &Rows, most: &Rows) -> Result<(), Fault> {
    for (((name, value), (_, low)), (_, high)) in values.iter().zip(least).zip(most) {
        if value < low || value > high {
            let message = format!("{name} is {value}; choose a value from {low} to {high}.");
            return Err(Fault::invalid("limit.out_of_range", message)
                .with("limit", *name)
                .with("min", *low)
                .with("max", *high));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_the_ranges() {
        assert_eq!(WorkspaceLimits::default().validate(&WorkspaceLimits::MOST), Ok(()));
        assert_eq!(WorkspaceRest::default().validate(&WorkspaceRest::MOST), Ok(()));
    }

    #[test]
    fn every_value_is_refused_below_its_least_and_above_the_operator_s_most() {
        let limits = serde_json::to_value(WorkspaceLimits::default()).unwrap();
        let rest = serde_json::to_value(WorkspaceRest::default()).unwrap();
        for (name, value) in WorkspaceLimits::LEAST.rows().iter().chain(&WorkspaceRest::LEAST.rows()) {
            for wrong in [value - 1, u64::from(u32::MAX)] {
                let is_limit = limits.get(name).is_some();
                let mut json = if is_limit { limits.clone() } else { rest.clone() };
                json[*name] = wrong.into();
                let found = if is_limit {
                    let made: WorkspaceLimits = serde_json::from_value(json).unwrap();
                    made.validate(&WorkspaceLimits {
                        memory_bytes: 1 << 30,
                        disk_bytes: 1 << 30,
                        ..WorkspaceLimits::MOST
                    })
                } else {
                    serde_json::from_value::<WorkspaceRest>(json)
                        .unwrap()
                        .validate(&WorkspaceRest { stop_after_ms: 1 << 30, ..WorkspaceRest::MOST })
                };
                assert_eq!(found.map_err(|fault| fault.code), Err("limit.out_of_range"), "{name} {wrong}");
            }
        }
    }
}
