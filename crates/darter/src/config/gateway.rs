//! `[gateway]`

use std::time::Duration;

use darter_gateway::{GatewayConfig, Network};
use serde::{Deserialize, Serialize};

use super::Server;
use super::key::{Key, Kind, Problem, within};

/// The front door for requests to apps. What an app itself may use is a setting of the app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    pub max_connections: usize,
    pub header_timeout_ms: u64,
    pub stall_timeout_ms: u64,
}

pub const KEYS: &[Key] = &[
    Key::new("max_connections", Kind::Number, "open client connections"),
    Key::new(
        "header_timeout_ms",
        Kind::Number,
        "how long a client may take for a request's head, and a connection may wait for its next request",
    ),
    Key::new(
        "stall_timeout_ms",
        Kind::Number,
        "how long a client of the console may read none of its answer, or send none of its body; an app's clients have its idle_timeout_ms",
    ),
];

impl Default for Gateway {
    fn default() -> Self {
        Self { max_connections: 16_384, header_timeout_ms: 30_000, stall_timeout_ms: 60_000 }
    }
}

impl Gateway {
    pub fn problems(&self) -> Vec<Problem> {
        let connections = within("gateway.max_connections", self.max_connections as u64, 1, 1_000_000);
        connections
            .into_iter()
            .chain(within("gateway.header_timeout_ms", self.header_timeout_ms, 100, 600_000))
            .chain(within("gateway.stall_timeout_ms", self.stall_timeout_ms, 1_000, 3_600_000))
            .collect()
    }
}

/// The gateway's own configuration, checked.
pub fn config(server: &Server, gateway: &Gateway) -> Result<GatewayConfig, Problem> {
    let mut proxies = Vec::new();
    for text in &server.trusted_proxies {
        proxies.push(text.parse::<Network>().map_err(|error| problem(&error))?);
    }
    let config = GatewayConfig {
        public_https: server.public_https,
        trusted_proxies: proxies,
        max_connections: gateway.max_connections,
        header_timeout: Duration::from_millis(gateway.header_timeout_ms),
        stall_timeout: Duration::from_millis(gateway.stall_timeout_ms),
        drain_grace: Duration::from_millis(server.drain_ms),
        ..GatewayConfig::new(&server.domain, &server.apps_domain)
    };
    config.validate().map_err(|error| problem(&error))?;
    Ok(config)
}

fn problem(error: &darter_gateway::ConfigError) -> Problem {
    let section = if matches!(error.key, "domain" | "apps_domain" | "trusted_proxies") { "server" } else { "gateway" };
    let (what, fix) = error.message.split_once(". ").unwrap_or((&error.message, "see docs/reference/configuration.md"));
    Problem::new(format!("{section}.{}", error.key), what, fix.trim_end_matches('.'))
}
