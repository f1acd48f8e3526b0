//! The two clocks of a request: the whole of it, and the silence between two bytes in either direction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use darter_core::limits::AppLimits;

use crate::amount;
use crate::page::Problem;

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    Total,
    Idle,
}

/// When a request must be over. Clones share the last sign of life.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines {
    pub began: Instant,
    pub total: Duration,
    pub idle: Duration,
    pub stuck_after: Duration,
    /// Microseconds after `began` of the last byte in either direction.
    last: Arc<AtomicU64>,
}

impl Deadlines {
    pub fn new(began: Instant, limits: &AppLimits) -> Self {
        Self {
            began,
            total: Duration::from_millis(limits.total_timeout_ms),
            idle: Duration::from_millis(limits.idle_timeout_ms),
            stuck_after: Duration::from_millis(limits.loop_timeout_ms),
            last: Arc::default(),
        }
    }

    /// A byte went in either direction.
    pub fn touch(&self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.fetch_max(micros, Ordering::Relaxed);
    }

    /// What is left of the whole.
    pub fn left(&self) -> Duration {
        self.total.saturating_sub(self.began.elapsed())
    }

    fn idle_at(&self) -> Instant {
        self.began + Duration::from_micros(self.last.load(Ordering::Relaxed)) + self.idle
    }

    /// Resolves when a clock runs out.
    pub async fn expired(&self) -> Expired {
        let total_at = self.began + self.total;
        loop {
            let idle_at = self.idle_at();
            tokio::time::sleep_until(total_at.min(idle_at).into()).await;
            let now = Instant::now();
            if now >= total_at {
                return Expired::Total;
            }
            if now >= self.idle_at() {
                return Expired::Idle;
            }
        }
    }

    /// Resolves when nothing has moved for the idle time: tunnels have no total.
    pub async fn silent(&self) {
        while Instant::now() < self.idle_at() {
            tokio::time::sleep_until(self.idle_at().into()).await;
        }
    }

    /// What the client is told.
    pub fn problem(&self, expired: Expired) -> Problem {
        match expired {
            Expired::Total => Problem::new(
                504,
                "function.timeout",
                format!(
                    "The function did not finish within {}. Make it faster, or raise \"total timeout\" in the app's settings.",
                    amount::span(self.total)
                ),
            )
            .with("total_timeout_ms", self.total.as_millis() as u64),
            Expired::Idle => Problem::new(
                504,
                "function.idle_timeout",
                format!(
                    "Nothing was sent or received for {}. Send something in between, or raise \"idle timeout\" in the app's settings.",
                    amount::span(self.idle)
                ),
            )
            .with("idle_timeout_ms", self.idle.as_millis() as u64),
        }
    }
}
