//! What a run may use. Whoever starts it asks for less or more within the operator's; nothing is ever unlimited.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Walls of one run, of its compilation as well. Times in milliseconds, sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// Processor time, summed over all threads and processes.
    pub cpu_ms: u64,
    /// From the program's start to its end.
    pub wall_ms: u64,
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Of the folder it works in, and of `/tmp`; both are held in memory and counted there.
    pub disk_bytes: u64,
    /// Of standard output and standard error, each.
    pub output_bytes: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            cpu_ms: 5_000,
            wall_ms: 15_000,
            memory_bytes: 256 << 20,
            pids: 64,
            disk_bytes: 64 << 20,
            output_bytes: 1 << 20,
        }
    }
}

/// What somebody asks for; the rest is as usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AskedLimits {
    pub cpu_ms: Option<u64>,
    pub wall_ms: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub pids: Option<u64>,
    pub disk_bytes: Option<u64>,
    pub output_bytes: Option<u64>,
}

impl RunLimits {
    /// The smallest and the largest value that an operator may set.
    pub const RANGES: &'static [(&'static str, u64, u64)] = &[
        ("cpu_ms", 10, 600_000),
        ("wall_ms", 10, 3_600_000),
        ("memory_bytes", 16 << 20, 16 << 30),
        ("pids", 1, 1_024),
        ("disk_bytes", 1 << 20, 4 << 30),
        ("output_bytes", 1 << 10, 64 << 20),
    ];

    fn fields(self) -> [u64; 6] {
        [self.cpu_ms, self.wall_ms, self.memory_bytes, self.pids, self.disk_bytes, self.output_bytes]
    }

    fn of(fields: [u64; 6]) -> Self {
        let [cpu_ms, wall_ms, memory_bytes, pids, disk_bytes, output_bytes] = fields;
        Self { cpu_ms, wall_ms, memory_bytes, pids, disk_bytes, output_bytes }
    }

    /// Checks an operator's values.
    pub fn validate(&self) -> Result<(), Fault> {
        for ((name, low, high), value) in Self::RANGES.iter().zip(self.fields()) {
            within(name, value, *low, *high)?;
        }
        Ok(())
    }

    /// What is asked for, where it is between the smallest value and `most`; these are the usual ones for the rest.
    pub fn with(self, asked: &AskedLimits, most: &RunLimits) -> Result<Self, Fault> {
        let asked = [asked.cpu_ms, asked.wall_ms, asked.memory_bytes, asked.pids, asked.disk_bytes, asked.output_bytes];
        let mut chosen = self.fields();
        for (place, ((name, low, _), high)) in Self::RANGES.iter().zip(most.fields()).enumerate() {
            if let Some(value) = asked[place] {
                within(name, value, *low, high)?;
                chosen[place] = value;
            }
            chosen[place] = chosen[place].min(high);
        }
        Ok(Self::of(chosen))
    }
}

fn within(name: &'static str, value: u64, low: u64, high: u64) -> Result<(), Fault> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let message = format!("{name} is {value}; choose a value from {low} to {high}.");
    Err(Fault::invalid("limit.out_of_range", message).with("limit", name).with("min", low).with("max", high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_limits_are_within_the_ranges() {
        assert_eq!(RunLimits::default().validate(), Ok(()));
    }

    #[test]
    fn nothing_is_unlimited_and_nothing_is_zero() {
        let most = RunLimits::default();
        for (place, (name, low, _)) in RunLimits::RANGES.iter().enumerate() {
            for value in [0, low - 1, most.fields()[place] + 1, u64::MAX] {
                let mut json = serde_json::to_value(most).unwrap();
                json[*name] = value.into();
                let wanted: RunLimits = serde_json::from_value(json).unwrap();
                let [cpu_ms, wall_ms, memory_bytes, pids, disk_bytes, output_bytes] = wanted.fields().map(Some);
                let asked = AskedLimits { cpu_ms, wall_ms, memory_bytes, pids, disk_bytes, output_bytes };
                let refused = most.with(&asked, &most).map_err(|fault| fault.code);
                assert_eq!(refused, Err("limit.out_of_range"), "{name} {value}");
            }
        }
    }

    #[test]
    fn what_is_not_asked_for_is_usual_and_never_more_than_the_operator_allows() {
        let most = RunLimits { cpu_ms: 1_000, ..RunLimits::default() };
        let asked = AskedLimits { pids: Some(3), ..AskedLimits::default() };
        let chosen = RunLimits::default().with(&asked, &most).unwrap();
        assert_eq!(chosen, RunLimits { cpu_ms: 1_000, pids: 3, ..RunLimits::default() });
    }
}
