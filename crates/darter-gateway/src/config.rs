//! What the operator decides about the front door. Checked once, before any port is used.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

/// What is wrong with a configuration, with its key and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key}: {message}")]
pub struct ConfigError {
    pub key: &'static str,
    pub message: String,
}

/// Settings of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The console's host, e.g. `darter.localhost`; no port.
    pub domain: String,
    /// The console's whole address, without a final slash, for links on the gateway's own pages. `None`: no links.
    pub console: Option<String>,
    /// Apps live at `<label>.<apps_domain>`. Another site than `domain`, so that no cookie of theirs reaches the console.
    pub apps_domain: String,
    /// Clients come by https although the listener speaks plain HTTP (a proxy in front ends TLS).
    pub public_https: bool,
    /// Proxies whose `x-forwarded-*` are believed, e.g. `10.0.0.0/8`. Everybody else's are replaced.
    pub trusted_proxies: Vec<Network>,
    /// Open client connections, over all listeners.
    pub max_connections: usize,
    /// How long a client may take for a request's head; also how long a connection may wait for its next request.
    pub header_timeout: Duration,
    /// How long a client of the console may read none of its answer, or send none of its body. An app's clients have
    /// the app's idle time-out instead.
    pub stall_timeout: Duration,
    /// How long requests in flight may take to finish when the gateway stops.
    pub drain_grace: Duration,
    /// How often whoever holds a WebSocket into a workspace is asked again whether they still may.
    pub recheck: Duration,
}

impl GatewayConfig {
    /// The defaults around two domains.
    pub fn new(domain: impl Into<String>, apps_domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            console: None,
            apps_domain: apps_domain.into(),
            public_https: false,
            trusted_proxies: Vec::new(),
            max_connections: 16_384,
            header_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            drain_grace: Duration::from_secs(10),
            recheck: Duration::from_secs(60),
        }
    }

    /// The console's address of this path, when there is one.
    pub(crate) fn in_console(&self, path: &str) -> Option<String> {
        self.console.as_ref().map(|console| format!("{console}{path}"))
    }

    /// Checks what can be checked without a socket.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_domain("domain", &self.domain)?;
        check_domain("apps_domain", &self.apps_domain)?;
        let inside = |inner: &str, outer: &str| inner == outer || inner.ends_with(&format!(".{outer}"));
        if inside(&self.domain, &self.apps_domain) || inside(&self.apps_domain, &self.domain) {
            return Err(ConfigError {
                key: "apps_domain",
                message: format!(
                    "{} and {} are the same site, so an app could reach the console's cookies. Use another domain for apps.",
                    self.apps_domain, self.domain
                ),
            });
        }
        if self.max_connections == 0 {
            return Err(ConfigError { key: "max_connections", message: "0 would serve nobody; use 1 or more.".into() });
        }
        Ok(())
    }
}

fn check_domain(key: &'static str, domain: &str) -> Result<(), ConfigError> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if domain.len() <= 253 && domain.split('.').all(label) {
        return Ok(());
    }
    Err(ConfigError {
        key,
        message: format!(
            "{domain:?} is not a domain. Write it in lower case and without a port, e.g. apps.example.org."
        ),
    })
}

/// A range of addresses: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

/// IPv4 addresses live in their mapped range, so that one comparison serves both.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// Does the range hold the address?
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.address
    }
}

impl std::str::FromStr for Network {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let error = || ConfigError {
            key: "trusted_proxies",
            message: format!("{text:?} is not an address range. Write 10.0.0.0/8, 192.168.1.7 or fd00::/8."),
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| error())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width {
            return Err(error());
        }
        let host = width - length;
        let mask = if host == 128 { 0 } else { u128::MAX << host };
        Ok(Self { address: bits(address) & mask, mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_say() {
        for (range, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "fd00::1", false),
            ("::/0", "1.2.3.4", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
        ] {
            let network: Network = range.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{address} in {range}");
        }
        for bad in ["", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_configuration_that_mixes_the_sites_is_refused_with_its_key() {
        for (domain, apps, key) in [
            ("darter.localhost", "darter-apps.localhost", None),
            ("darter.localhost", "darter.localhost", Some("apps_domain")),
            ("darter.localhost", "apps.darter.localhost", Some("apps_domain")),
            ("console.example.org", "example.org", Some("apps_domain")),
            ("Darter.localhost", "apps.localhost", Some("domain")),
            ("darter.localhost:70", "apps.localhost", Some("domain")),
            ("", "apps.localhost", Some("domain")),
        ] {
            let result = GatewayConfig::new(domain, apps).validate();
            assert_eq!(result.err().map(|error| error.key), key, "{domain} {apps}");
        }
    }
}
