//! `[server]`

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem, within};

/// Where the server listens and what it is called.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    pub listen: SocketAddr,
    pub admin_listen: String,
    pub domain: String,
    pub apps_domain: String,
    pub tls_certificate: String,
    pub tls_key: String,
    pub tls_folder: String,
    pub public_https: bool,
    pub public_port: u16,
    pub trusted_proxies: Vec<String>,
    pub user: String,
    pub drain_ms: u64,
    pub single_user: bool,
}

pub const KEYS: &[Key] = &[
    Key::new("listen", Kind::Text, "address and port of the front door, e.g. 0.0.0.0:7070"),
    Key::new(
        "admin_listen",
        Kind::Text,
        "address and port of /metrics, /healthz and /readyz; empty: none. Never open it to the world",
    ),
    Key::new("domain", Kind::Text, "the console's domain, e.g. darter.example.org"),
    Key::new(
        "apps_domain",
        Kind::Text,
        "apps answer at <id>.<apps_domain>; another site than domain, so that no cookie of theirs reaches the console",
    ),
    Key::new(
        "tls_certificate",
        Kind::Text,
        "PEM file with the certificate chain for clients that name no host, or one that no other certificate is for; empty: the one for `domain` in tls_folder, or plain HTTP",
    ),
    Key::new("tls_key", Kind::Text, "PEM file with the certificate's private key"),
    Key::new(
        "tls_folder",
        Kind::Text,
        "folder of more certificates, one for each name: NAME.crt with NAME.key, or NAME/ with fullchain.pem and privkey.pem. Looked at every 5 s",
    ),
    Key::new(
        "public_https",
        Kind::Flag,
        "clients come by https although this server speaks plain HTTP: a proxy in front ends TLS",
    ),
    Key::new("public_port", Kind::Number, "the port that clients see; 0: the one of listen (or 443 with public_https)"),
    Key::new("trusted_proxies", Kind::List, "address ranges whose X-Forwarded-* headers are believed, e.g. 10.0.0.0/8"),
    Key::new(
        "user",
        Kind::Text,
        "started by root, the server drops to this account (a name, or uid:gid); empty: `darter` if it exists, else 7070:7070",
    ),
    Key::new("drain_ms", Kind::Number, "how long requests in flight may take to finish when the server stops"),
    Key::new(
        "single_user",
        Kind::Flag,
        "start although a required wall of the sandbox is missing. Only when you alone write functions here: sign-up is closed",
    ),
];

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
            admin_listen: "127.0.0.1:7071".into(),
            domain: "darter.localhost".into(),
            apps_domain: "darter-apps.localhost".into(),
            tls_certificate: String::new(),
            tls_key: String::new(),
            tls_folder: String::new(),
            public_https: false,
            public_port: 0,
            trusted_proxies: Vec::new(),
            user: String::new(),
            drain_ms: 10_000,
            single_user: false,
        }
    }
}

impl Server {
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.admin_listen.is_empty() && self.admin_listen.parse::<SocketAddr>().is_err() {
            let what = format!("{:?} is no address with a port", self.admin_listen);
            problems.push(Problem::new("server.admin_listen", what, "write e.g. 127.0.0.1:7071, or nothing for none"));
        }
        if self.admin_address().is_some_and(|admin| admin == self.listen && admin.port() != 0) {
            problems.push(Problem::new("server.admin_listen", "is the same as server.listen", "choose another port"));
        }
        for (key, file, other) in [
            ("server.tls_certificate", &self.tls_certificate, &self.tls_key),
            ("server.tls_key", &self.tls_key, &self.tls_certificate),
        ] {
            if file.is_empty() && !other.is_empty() {
                problems.push(Problem::new(key, "is missing", "set both tls_certificate and tls_key, or none"));
            } else if !file.is_empty() && !PathBuf::from(file).is_file() {
                problems.push(Problem::new(key, format!("there is no file {file}"), "name a PEM file"));
            }
        }
        if !self.tls_folder.is_empty() && !PathBuf::from(&self.tls_folder).is_dir() {
            let what = format!("there is no folder {}", self.tls_folder);
            problems.push(Problem::new("server.tls_folder", what, "name a folder with certificates"));
        }
        problems.extend(within("server.drain_ms", self.drain_ms, 0, 600_000));
        problems
    }

    /// The address of metrics and health, if there shall be one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_listen.parse().ok()
    }

    /// Does a client speak https?
    pub fn https(&self) -> bool {
        self.public_https || !self.tls_certificate.is_empty() || !self.tls_folder.is_empty()
    }

    /// The port that clients see, when the listener has this one.
    pub fn seen_port(&self, listening: u16) -> u16 {
        match (self.public_port, self.public_https) {
            (0, true) => 443,
            (0, false) => listening,
            (port, _) => port,
        }
    }

    /// `http://darter.localhost:7070`: where people go.
    pub fn address(&self, listening: u16) -> String {
        let (scheme, usual) = if self.https() { ("https", 443) } else { ("http", 80) };
        match self.seen_port(listening) {
            port if port == usual => format!("{scheme}://{}", self.domain),
            port => format!("{scheme}://{}:{port}", self.domain),
        }
    }
}
