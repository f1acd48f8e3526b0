//! The operator's word on where apps may connect: hosts, networks, ports. Pure, but for asking whether an address is ours.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use ipnet::IpNet;

use super::vet::{carried_v4, vet};
use crate::config::EgressConfig;

/// Who may be reached.
#[derive(Debug, Clone)]
pub struct Policy {
    config: EgressConfig,
    /// `host:port` that may be reached wherever it is: the operator's own npm registry, for installs only.
    trusted: Vec<(String, u16)>,
}

impl Policy {
    /// For apps.
    pub fn new(config: EgressConfig) -> Self {
        Self { config, trusted: Vec::new() }
    }

    /// As well as this origin, although its address may be private.
    #[must_use]
    pub fn trusting(mut self, host: &str, port: u16) -> Self {
        self.trusted.push((host.to_ascii_lowercase(), port));
        self
    }

    /// Whether this name and port may be asked for at all, or why not.
    pub fn check_name(&self, host: &str, port: u16) -> Result<(), String> {
        let host = host.trim_end_matches('.');
        if self.is_trusted(host, port) {
            return Ok(());
        }
        if port == 0 || self.config.deny_ports.contains(&port) {
            return Err(format!("port {port} is closed by the operator"));
        }
        if self.config.deny_hosts.iter().any(|pattern| matches(pattern, host)) {
            return Err("this host is closed by the operator".into());
        }
        let allowed = &self.config.allow_hosts;
        if !allowed.is_empty() && !allowed.iter().any(|pattern| matches(pattern, host)) {
            return Err("the operator allows only listed hosts, and this is none of them".into());
        }
        Ok(())
    }

    /// Whether this address, which the name resolved to, may be connected to.
    pub fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), String> {
        let ip = address.ip().to_canonical();
        let meant = carried(ip);
        if self.is_trusted(host.trim_end_matches('.'), address.port()) {
            return Ok(());
        }
        if contains(&self.config.deny_networks, ip) || contains(&self.config.deny_networks, meant) {
            return Err("its network is closed by the operator".into());
        }
        if contains(&self.config.allow_networks, ip) || contains(&self.config.allow_networks, meant) {
            return Ok(());
        }
        vet(address.ip()).map_err(|refusal| refusal.to_string())?;
        if is_ours(ip) || is_ours(meant) { Err("it is an address of this server".into()) } else { Ok(()) }
    }

    fn is_trusted(&self, host: &str, port: u16) -> bool {
        self.trusted.iter().any(|(name, at)| name.eq_ignore_ascii_case(host) && *at == port)
    }
}

/// The address that is meant: the IPv4 one where an IPv6 address carries one.
fn carried(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(address) if !address.is_loopback() => carried_v4(address).map_or(ip, IpAddr::V4),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}

fn contains(networks: &[IpNet], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&ip))
}

/// A public address of an interface of this machine: only one of our own can be bound.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            let tail = host.len().checked_sub(parent.len()).filter(|at| *at > 1);
            tail.is_some_and(|at| {
                host.is_char_boundary(at) && host[at..].eq_ignore_ascii_case(parent) && host[..at].ends_with('.')
            })
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_labels_only() {
        let rows = [
            ("example.org", "EXAMPLE.org", true),
            ("example.org", "a.example.org", false),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "badexample.org", false),
            ("*.example.org", ".example.org", false),
        ];
        for (pattern, host, expected) in rows {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn the_lists_are_asked_in_their_order() {
        let config = EgressConfig {
            allow_hosts: vec!["*.example.org".into()],
            deny_hosts: vec!["bad.example.org".into()],
            allow_networks: vec!["10.1.0.0/16".parse().unwrap()],
            deny_networks: vec!["8.8.8.0/24".parse().unwrap(), "10.1.9.0/24".parse().unwrap()],
            ..EgressConfig::default()
        };
        let policy = Policy::new(config).trusting("npm.internal", 4873);
        let name = |host, port| policy.check_name(host, port).is_ok();
        assert!(name("a.example.org", 443) && name("a.example.org.", 443));
        assert!(!name("bad.example.org", 443) && !name("bad.example.org.", 443));
        assert!(!name("other.org", 443) && !name("a.example.org", 25) && !name("a.example.org", 0));
        assert!(name("npm.internal", 4873) && !name("npm.internal", 80));
        let at = |host, address: &str| policy.check_address(host, address.parse().unwrap()).is_ok();
        assert!(at("x", "10.1.2.3:80") && at("x", "[::ffff:10.1.2.3]:80") && !at("x", "10.2.0.1:80"));
        assert!(!at("x", "[64:ff9b::808:808]:443") && !at("x", "[2002:808:808::1]:443"));
        assert!(!at("x", "8.8.8.8:443") && !at("x", "[::ffff:8.8.8.8]:443") && !at("x", "10.1.9.1:80"));
        assert!(
            at("npm.internal", "127.0.0.1:4873") && !at("npm.internal", "127.0.0.1:80") && !at("x", "127.0.0.1:4873")
        );
    }
}
