//! Time as a value that is handed in, so that every rule about time can be tested.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z. Stored as BIGINT, sent as a JSON number.
pub type Millis = i64;

/// Where "now" comes from.
pub trait Clock: Send + Sync {
    /// The current wall-clock time in milliseconds. It may jump in both directions: never subtract two of them to
    /// time something that must not be wrong; use `std::time::Instant` there.
    fn now(&self) -> Millis;
}

/// The machine's clock. Only the program that wires the parts makes one.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(elapsed) => Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX),
            Err(_) => 0,
        }
    }
}
