//! What one app may send and has sent: connections, bytes per second, bytes in all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// Names that one tenant may have looked up at a time.
const LOOKUPS: usize = 8;

/// One tenant's figures and brakes, shared by all its sandboxes.
#[derive(Debug)]
pub struct Meter {
    pub(super) places: Arc<Semaphore>,
    pub(super) lookups: Arc<Semaphore>,
    sent: AtomicU64,
    received: AtomicU64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    /// Takes `bytes`, and says how long to wait before they may pass.
    fn take(&mut self, bytes: u64, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.level = (self.level + since * self.rate).min(self.burst) - bytes as f64;
        self.filled = now;
        if self.level >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.level / self.rate) }
    }
}

/// Which way bytes went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Out,
    In,
}

impl Meter {
    /// With these brakes: connections at a time, bytes per second, bytes at once.
    pub fn new(connections: usize, rate: u64, burst: u64) -> Self {
        let (rate, burst) = (rate as f64, burst as f64);
        Self {
            places: Arc::new(Semaphore::new(connections)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            bucket: Mutex::new(Bucket { rate, burst, level: burst, filled: Instant::now() }),
        }
    }

    /// Bytes sent and received through the proxy so far.
    pub fn bytes(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Counts bytes, and waits until they may pass.
    pub(super) async fn pass(&self, way: Way, bytes: u64) {
        let counter = match way {
            Way::Out => &self.sent,
            Way::In => &self.received,
        };
        counter.fetch_add(bytes, Ordering::Relaxed);
        let wait = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_burst_bytes_wait_for_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket { rate: 1_000.0, burst: 500.0, level: 500.0, filled: start };
        assert_eq!(bucket.take(500, start), Duration::ZERO);
        assert_eq!(bucket.take(1_000, start), Duration::from_secs(1));
        assert_eq!(bucket.take(0, start + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(bucket.take(500, start + Duration::from_secs(3_600)), Duration::ZERO);
    }
}
