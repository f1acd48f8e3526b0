//! What an app may use, and when it falls asleep. The owner sets them within the operator's maxima.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Settings of an app that change how it is run. All times in milliseconds, all sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppLimits {
    /// Thousandths of a core, summed over all threads of one instance.
    pub cpu_millis: u32,
    pub memory_bytes: u64,
    /// Processes and threads in one instance.
    pub pids: u32,
    /// Size of `/tmp` and `/work` together, held in memory and counted there.
    pub disk_bytes: u64,
    pub instances_min: u32,
    pub instances_max: u32,
    /// Requests at once in one instance.
    pub concurrency: u32,
    /// Requests that may wait for a place, over all instances.
    pub queue: u32,
    /// Without a request for this long the instance is frozen.
    pub freeze_after_ms: u64,
    /// Frozen for this long, it is stopped.
    pub stop_after_ms: u64,
    /// From the first byte of the request to the last of the answer.
    pub total_timeout_ms: u64,
    /// Between two bytes in either direction; also for WebSockets.
    pub idle_timeout_ms: u64,
    /// How long the event loop may be stuck before the instance is ended.
    pub loop_timeout_ms: u64,
    pub request_body_bytes: u64,
    /// Requests per second over all clients, and the burst above it.
    pub rate_app: u32,
    /// Requests per second of one client address.
    pub rate_client: u32,
}

impl Default for AppLimits {
    fn default() -> Self {
        Self {
            cpu_millis: 1_000,
            memory_bytes: 256 << 20,
            pids: 64,
            disk_bytes: 64 << 20,
            instances_min: 0,
            instances_max: 1,
            concurrency: 100,
            queue: 500,
            freeze_after_ms: 30_000,
            stop_after_ms: 600_000,
            total_timeout_ms: 60_000,
            idle_timeout_ms: 60_000,
            loop_timeout_ms: 5_000,
            request_body_bytes: 10 << 20,
            rate_app: 20_000,
            rate_client: 20_000,
        }
    }
}

impl AppLimits {
    /// The smallest and largest value of every limit.
    pub const RANGES: &'static [(&'static str, u64, u64)] = &[
        ("cpu_millis", 50, 16_000),
        ("memory_bytes", 64 << 20, 8 << 30),
        ("pids", 16, 1_024),
        ("disk_bytes", 1 << 20, 4 << 30),
        ("instances_min", 0, 16),
        ("instances_max", 1, 16),
        ("concurrency", 1, 4_000),
        ("queue", 0, 10_000),
        ("freeze_after_ms", 500, 86_400_000),
        ("stop_after_ms", 500, 604_800_000),
        ("total_timeout_ms", 100, 3_600_000),
        ("idle_timeout_ms", 100, 3_600_000),
        ("loop_timeout_ms", 500, 60_000),
        ("request_body_bytes", 0, 1 << 30),
        ("rate_app", 1, 1_000_000),
        ("rate_client", 1, 1_000_000),
    ];

    fn value(&self, name: &str) -> u64 {
        match name {
            "cpu_millis" => self.cpu_millis.into(),
            "memory_bytes" => self.memory_bytes,
            "pids" => self.pids.into(),
            "disk_bytes" => self.disk_bytes,
            "instances_min" => self.instances_min.into(),
            "instances_max" => self.instances_max.into(),
            "concurrency" => self.concurrency.into(),
            "queue" => self.queue.into(),
            "freeze_after_ms" => self.freeze_after_ms,
            "stop_after_ms" => self.stop_after_ms,
            "total_timeout_ms" => self.total_timeout_ms,
            "idle_timeout_ms" => self.idle_timeout_ms,
            "loop_timeout_ms" => self.loop_timeout_ms,
            "request_body_bytes" => self.request_body_bytes,
            "rate_app" => self.rate_app.into(),
            "rate_client" => self.rate_client.into(),
            other => unreachable!("RANGES names a limit that does not exist: {other}"),
        }
    }

    /// Checks every limit against its range; the fault names the first that is off, and what is allowed.
    pub fn validate(&self) -> Result<(), Fault> {
        for (name, low, high) in Self::RANGES {
            let value = self.value(name);
            if value < *low || value > *high {
                return Err(Fault::invalid(
                    "limit.out_of_range",
                    format!("{name} is {value}; choose a value from {low} to {high}."),
                )
                .with("limit", *name)
                .with("min", *low)
                .with("max", *high));
            }
        }
        if self.instances_min > self.instances_max {
            return Err(Fault::invalid(
                "limit.out_of_range",
                "instances_min is larger than instances_max; lower the one or raise the other.",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_the_ranges() {
        assert_eq!(AppLimits::default().validate(), Ok(()));
    }

    #[test]
    fn every_limit_is_refused_below_and_above_its_range() {
        for (name, low, high) in AppLimits::RANGES {
            for value in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten() {
                let mut json = serde_json::to_value(AppLimits::default()).unwrap();
                json[*name] = value.into();
                let limits: AppLimits = serde_json::from_value(json).unwrap();
                assert_eq!(limits.validate().map_err(|fault| fault.code), Err("limit.out_of_range"), "{name} {value}");
            }
        }
    }
}
