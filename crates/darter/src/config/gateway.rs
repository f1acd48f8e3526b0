//! `[gateway]`

use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem, within};

/// The front door for requests to apps. What an app itself may use is a setting of the app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    pub max_connections: usize,
    pub header_timeout_ms: u64,
}

pub const KEYS: &[Key] = &[
    Key::new("max_connections", Kind::Number, "open client connections"),
    Key::new(
        "header_timeout_ms",
        Kind::Number,
        "how long a client may take for a request's head, and a connection may wait for its next request",
    ),
];

impl Default for Gateway {
    fn default() -> Self {
        Self { max_connections: 16_384, header_timeout_ms: 30_000 }
    }
}

impl Gateway {
    pub fn problems(&self) -> Vec<Problem> {
        let connections = within("gateway.max_connections", self.max_connections as u64, 1, 1_000_000);
        connections
            .into_iter()
            .chain(within("gateway.header_timeout_ms", self.header_timeout_ms, 100, 600_000))
            .collect()
    }
}
