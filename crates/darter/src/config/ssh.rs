//! `[ssh]`

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem};

/// Where workspaces are reached by SSH.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ssh {
    pub listen: String,
    pub host: String,
    pub public_port: u16,
}

/// Unless told. A second server on the same machine goes without SSH rather than not at all.
const USUAL: &str = "127.0.0.1:7022";

pub const KEYS: &[Key] = &[
    Key::new("listen", Kind::Text, "address and port of SSH to workspaces, e.g. 0.0.0.0:7022; empty: no SSH"),
    Key::new(
        "host",
        Kind::Text,
        "the name that clients connect to; empty: the console's domain (localhost when that ends in .localhost)",
    ),
    Key::new("public_port", Kind::Number, "the port that clients connect to; 0: the one of listen"),
];

impl Default for Ssh {
    fn default() -> Self {
        Self { listen: USUAL.into(), host: String::new(), public_port: 0 }
    }
}

impl Ssh {
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.listen.is_empty() && self.listen.parse::<SocketAddr>().is_err() {
            let what = format!("{:?} is no address with a port", self.listen);
            problems.push(Problem::new("ssh.listen", what, "write e.g. 127.0.0.1:7022, or nothing for no SSH"));
        }
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if !self.host.bytes().all(letter) || self.host.starts_with('-') {
            let what = format!("{:?} is no host name or address", self.host);
            problems.push(Problem::new("ssh.host", what, "write e.g. ssh.example.org"));
        }
        problems
    }

    /// The address, if there shall be SSH.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// Nobody chose the address: that it is taken is no reason not to start.
    pub fn is_usual(&self) -> bool {
        self.listen == USUAL
    }

    /// The name that clients connect to, on a server whose console has this domain.
    pub fn host(&self, domain: &str) -> String {
        match (self.host.as_str(), domain) {
            // Browsers know names below localhost by themselves; ssh asks the machine, which often does not.
            ("", domain) if domain == "localhost" || domain.ends_with(".localhost") => "localhost".into(),
            ("", domain) => domain.into(),
            (host, _) => host.into(),
        }
    }

    /// The port that clients connect to, when the listener has this one.
    pub fn seen_port(&self, listening: u16) -> u16 {
        if self.public_port == 0 { listening } else { self.public_port }
    }
}
