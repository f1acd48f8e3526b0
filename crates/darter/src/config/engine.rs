//! `[engine]`: what an operator decides about it; the engine's own configuration is made from this.

use std::path::{Path, PathBuf};

use darter_core::workspace::EnvironmentName;
use darter_engine::EngineConfig;
use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem, within};
use super::registry;

/// How functions run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    pub pool_size: usize,
    pub registry: String,
    pub pypi: String,
    pub registry_hosts: Vec<String>,
    pub environments: Vec<String>,
    pub certificates: String,
    pub downloads: String,
    pub egress_allow_hosts: Vec<String>,
    pub egress_deny_hosts: Vec<String>,
    pub egress_allow_networks: Vec<String>,
    pub egress_deny_networks: Vec<String>,
    pub egress_bytes_per_second: u64,
    pub install_timeout_ms: u64,
    pub install_memory_bytes: u64,
    pub language_servers: usize,
}

pub const KEYS: &[Key] = &[
    Key::new(
        "pool_size",
        Kind::Number,
        "runtimes that wait, started, for an app to need one; 0: none, so that each first request waits for a start",
    ),
    Key::new(
        "registry",
        Kind::Text,
        "the npm registry that Node and packages come from; empty: the one that npm on this machine uses",
    ),
    Key::new(
        "pypi",
        Kind::Text,
        "the Python package index that environments are installed from; empty: the one that pip itself knows",
    ),
    Key::new(
        "registry_hosts",
        Kind::List,
        "hosts besides the registries' own that installs may reach although they are private: where a mirror keeps its files",
    ),
    Key::new(
        "environments",
        Kind::List,
        "environments of workspaces that are installed in the background when the server starts and they are missing; empty: none",
    ),
    Key::new("certificates", Kind::Text, "a PEM file of certificates that installs trust besides the system's own"),
    Key::new(
        "downloads",
        Kind::Text,
        "a folder for checked downloads, shared by servers of this machine; empty: in the data directory",
    ),
    Key::new(
        "egress_allow_hosts",
        Kind::List,
        "the only hosts that functions may reach, e.g. *.example.org; empty: every public one",
    ),
    Key::new("egress_deny_hosts", Kind::List, "hosts that functions may not reach"),
    Key::new(
        "egress_allow_networks",
        Kind::List,
        "private address ranges that functions may reach after all, e.g. 10.1.0.0/16",
    ),
    Key::new("egress_deny_networks", Kind::List, "public address ranges that functions may not reach"),
    Key::new("egress_bytes_per_second", Kind::Number, "bytes per second of one app, to and from the internet together"),
    Key::new("install_timeout_ms", Kind::Number, "how long an install of an app's packages may take"),
    Key::new("install_memory_bytes", Kind::Number, "memory of an install"),
    Key::new(
        "language_servers",
        Kind::Number,
        "language servers at a time, for people who edit; each takes some 200 MB",
    ),
];

impl Default for Engine {
    fn default() -> Self {
        let engine = EngineConfig::default();
        Self {
            pool_size: engine.pool.size,
            registry: String::new(),
            pypi: String::new(),
            registry_hosts: Vec::new(),
            environments: vec!["vscode".into(), "jupyter".into()],
            certificates: String::new(),
            downloads: String::new(),
            egress_allow_hosts: Vec::new(),
            egress_deny_hosts: Vec::new(),
            egress_allow_networks: Vec::new(),
            egress_deny_networks: Vec::new(),
            egress_bytes_per_second: engine.egress.rate,
            install_timeout_ms: engine.install.timeout_ms,
            install_memory_bytes: engine.install.memory_bytes,
            language_servers: engine.language.concurrent,
        }
    }
}

impl Engine {
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(within("engine.pool_size", self.pool_size as u64, 0, 256));
        for (key, networks) in [
            ("engine.egress_allow_networks", &self.egress_allow_networks),
            ("engine.egress_deny_networks", &self.egress_deny_networks),
        ] {
            for bad in networks.iter().filter(|text| text.parse::<ipnet::IpNet>().is_err()) {
                problems.push(Problem::new(key, format!("{bad:?} is no address range"), "write e.g. 10.1.0.0/16"));
            }
        }
        for bad in self.environments.iter().filter(|name| name.parse::<EnvironmentName>().is_err()) {
            let what = format!("{bad:?} is no name of an environment");
            problems.push(Problem::new("engine.environments", what, "write e.g. vscode, jupyter"));
        }
        if problems.is_empty() {
            // The engine checks the rest itself; only the registry is found elsewhere when it is not given.
            let registry = if self.registry.is_empty() { "http://localhost" } else { &self.registry };
            let made = self.to_engine(Path::new("/"), registry.to_owned());
            problems.extend(
                made.validate()
                    .err()
                    .map(|error| Problem::new(flat(error.key), error.problem, "see docs/reference/configuration.md")),
            );
        }
        problems
    }

    /// The engine's configuration for a data directory.
    pub fn config(&self, data: &Path) -> Result<EngineConfig, Problem> {
        let registry = if self.registry.is_empty() { registry::of_this_machine()? } else { self.registry.clone() };
        Ok(self.to_engine(data, registry))
    }

    fn to_engine(&self, data: &Path, registry: String) -> EngineConfig {
        let networks = |list: &[String]| list.iter().filter_map(|text| text.parse().ok()).collect();
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        let mut config = EngineConfig::for_data_dir(data, &registry);
        config.pypi_index.clone_from(&self.pypi);
        config.registry_hosts.clone_from(&self.registry_hosts);
        config.environments.at_start = self.environments.iter().filter_map(|name| name.parse().ok()).collect();
        config.certificates = path(&self.certificates);
        config.downloads = path(&self.downloads);
        config.pool.size = self.pool_size;
        config.egress.allow_hosts.clone_from(&self.egress_allow_hosts);
        config.egress.deny_hosts.clone_from(&self.egress_deny_hosts);
        config.egress.allow_networks = networks(&self.egress_allow_networks);
        config.egress.deny_networks = networks(&self.egress_deny_networks);
        config.egress.rate = self.egress_bytes_per_second;
        config.egress.burst = self.egress_bytes_per_second.saturating_mul(2);
        config.install.timeout_ms = self.install_timeout_ms;
        config.install.memory_bytes = self.install_memory_bytes;
        config.language.concurrent = self.language_servers;
        config
    }
}

/// `engine.install.timeout_ms` as it is called here.
fn flat(key: &str) -> String {
    match key {
        "engine.npm_registry" => "engine.registry".into(),
        "engine.pypi_index" => "engine.pypi".into(),
        "engine.egress.rate" => "engine.egress_bytes_per_second".into(),
        "engine.language.memory_bytes" => "engine.language_servers".into(),
        other => {
            let parts: Vec<&str> = other.splitn(2, '.').collect();
            format!("{}.{}", parts[0], parts.get(1).unwrap_or(&"").replace('.', "_"))
        }
    }
}
