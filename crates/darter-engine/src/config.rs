//! What an operator can set about the engine. Checked before anything starts: a bad value names its key and the fix.
//!
//! Holds no secret. Paths must be absolute, because the launcher opens them in another process.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use darter_core::run::RunLimits;
use darter_core::workspace::EnvironmentName;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Everything about the local engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// The data directory. `apps/`, `cache/` and `run/` are made below it.
    pub data: PathBuf,
    /// Where installed runtimes are kept; `<data>/runtimes` unless set.
    pub runtimes: Option<PathBuf>,
    /// Where half-finished installs live; `<data>/cache` unless set. On the same file system as `runtimes` and `apps`.
    pub builds: Option<PathBuf>,
    /// Checked downloads, shared by all data directories of this machine; `<data>/cache/downloads` unless set.
    pub downloads: Option<PathBuf>,
    /// The npm registry packages come from, e.g. `https://npm.example.org/`.
    pub npm_registry: String,
    /// Python's package index, as pip takes it; empty: the one pip knows.
    pub pypi_index: String,
    /// Hosts besides the registries' that installs may reach although they are private: where a mirror keeps its files.
    pub registry_hosts: Vec<String>,
    /// A file of certificates in PEM form that installs trust besides the system's own.
    pub certificates: Option<PathBuf>,
    /// Owner, on this host, of what sandboxes write. Only set when the server itself runs as root (tests).
    pub files_owner: Option<(u32, u32)>,
    pub pool: PoolConfig,
    pub egress: EgressConfig,
    pub install: InstallConfig,
    pub language: LanguageConfig,
    pub environments: EnvironmentsConfig,
    pub runs: RunsConfig,
}

/// Environments of workspaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentsConfig {
    /// Where they are installed; `<data>/environments` unless set. On the same file system as `builds`.
    pub folder: Option<PathBuf>,
    /// Which are installed, in the background, when the server starts and they are missing.
    pub at_start: Vec<EnvironmentName>,
    /// Memory of an install.
    pub memory_bytes: u64,
    /// The program that serves inside workspaces, tried on images; this very program unless set. A server that has given
    /// root up may not be able to look it up any more.
    #[serde(skip)]
    pub attendant: Option<PathBuf>,
}

/// Pre-started runtimes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// How many wait; each costs some 10 MB. 0: every start builds its own.
    pub size: usize,
    /// How long refilling waits after a start, so that it does not take the core that the new app needs.
    pub refill_after_ms: u64,
}

/// Where apps may connect to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressConfig {
    /// Hosts that may be reached, `example.org` or `*.example.org`. Empty: all that are not denied.
    pub allow_hosts: Vec<String>,
    /// Hosts that may not be reached, in the same form.
    pub deny_hosts: Vec<String>,
    /// Networks that may be reached although they are private, e.g. `10.1.0.0/16`.
    pub allow_networks: Vec<IpNet>,
    /// Networks that may not be reached although they are public.
    pub deny_networks: Vec<IpNet>,
    pub deny_ports: Vec<u16>,
    /// Connections of one app at a time.
    pub connections: usize,
    /// Bytes per second of one app, both directions together.
    pub rate: u64,
    /// Bytes that may pass at once above the rate.
    pub burst: u64,
    pub connect_timeout_ms: u64,
    /// A connection on which nothing moves for this long is closed.
    pub idle_timeout_ms: u64,
}

/// Dependency installs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstallConfig {
    pub timeout_ms: u64,
    pub memory_bytes: u64,
    pub cpu_millis: u32,
    pub pids: u32,
    /// Largest `node_modules`.
    pub max_bytes: u64,
    /// Most files in `node_modules`.
    pub max_files: u64,
    /// Installs at a time, over all apps.
    pub concurrent: usize,
}

/// Language servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LanguageConfig {
    pub memory_bytes: u64,
    pub cpu_millis: u32,
    /// At a time, over all apps.
    pub concurrent: usize,
}

/// Runs of snippets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunsConfig {
    /// At a time, over all accounts; 0: two for each core.
    pub concurrent: usize,
    /// Interpreters of a language that wait, started, for a program, once it is used.
    pub pool: usize,
    /// How many may wait for their turn.
    pub queue: usize,
    /// What compilers have made is kept up to so many bytes.
    pub cache_bytes: u64,
    /// What a run gets that asks for nothing.
    pub usual: RunLimits,
    /// The most that one may ask for.
    pub most: RunLimits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            runtimes: None,
            builds: None,
            downloads: None,
            npm_registry: String::new(),
            pypi_index: String::new(),
            registry_hosts: Vec::new(),
            certificates: None,
            files_owner: None,
            pool: PoolConfig::default(),
            egress: EgressConfig::default(),
            install: InstallConfig::default(),
            language: LanguageConfig::default(),
            environments: EnvironmentsConfig::default(),
            runs: RunsConfig::default(),
        }
    }
}

impl Default for EnvironmentsConfig {
    fn default() -> Self {
        Self { folder: None, at_start: Vec::new(), memory_bytes: 3 << 30, attendant: None }
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { size: 3, refill_after_ms: 40 }
    }
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            allow_hosts: Vec::new(),
            deny_hosts: Vec::new(),
            allow_networks: Vec::new(),
            deny_networks: Vec::new(),
            deny_ports: vec![25],
            connections: 128,
            rate: 32 << 20,
            burst: 64 << 20,
            connect_timeout_ms: 10_000,
            idle_timeout_ms: 900_000,
        }
    }
}

impl Default for InstallConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 300_000,
            memory_bytes: 1 << 30,
            cpu_millis: 2_000,
            pids: 256,
            max_bytes: 1 << 30,
            max_files: 200_000,
            concurrent: 2,
        }
    }
}

impl Default for LanguageConfig {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, cpu_millis: 2_000, concurrent: 32 }
    }
}

impl Default for RunsConfig {
    fn default() -> Self {
        let most = RunLimits {
            cpu_ms: 30_000,
            wall_ms: 120_000,
            memory_bytes: 1 << 30,
            pids: 256,
            disk_bytes: 256 << 20,
            output_bytes: 4 << 20,
        };
        Self { concurrent: 0, pool: 3, queue: 256, cache_bytes: 128 << 20, usual: RunLimits::default(), most }
    }
}

/// A value that cannot be used: which key, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    pub key: &'static str,
    pub problem: String,
}

fn wrong(key: &'static str, problem: impl Into<String>) -> Result<(), ConfigError> {
    Err(ConfigError { key, problem: problem.into() })
}

impl EngineConfig {
    /// The usual configuration of a data directory.
    pub fn for_data_dir(data: &Path, npm_registry: &str) -> Self {
        Self { data: data.to_path_buf(), npm_registry: npm_registry.to_owned(), ..Self::default() }
    }

    /// Where installed runtimes are.
    pub fn runtimes_dir(&self) -> PathBuf {
        self.runtimes.clone().unwrap_or_else(|| self.data.join("runtimes"))
    }

    /// Where installed environments are.
    pub fn environments_dir(&self) -> PathBuf {
        self.environments.folder.clone().unwrap_or_else(|| self.data.join("environments"))
    }

    /// Where things are while they are being made.
    pub fn builds_dir(&self) -> PathBuf {
        self.builds.clone().unwrap_or_else(|| self.data.join("cache"))
    }

    /// Where checked downloads are kept.
    pub fn downloads_dir(&self) -> PathBuf {
        self.downloads.clone().unwrap_or_else(|| self.data.join("cache/downloads"))
    }

    /// Checks every value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let folders = [
            ("engine.data", Some(&self.data)),
            ("engine.runtimes", self.runtimes.as_ref()),
            ("engine.builds", self.builds.as_ref()),
            ("engine.downloads", self.downloads.as_ref()),
            ("engine.certificates", self.certificates.as_ref()),
            ("engine.environments.folder", self.environments.folder.as_ref()),
        ];
        for (key, path) in folders {
            if path.is_some_and(|path| !path.is_absolute()) {
                return wrong(key, "must be an absolute path");
            }
        }
        is_address("engine.npm_registry", &self.npm_registry, "an npm registry")?;
        if !self.pypi_index.is_empty() {
            is_address("engine.pypi_index", &self.pypi_index, "a Python package index")?;
        }
        if let Some(bad) = self.registry_hosts.iter().find(|host| host.starts_with("*.") || !is_host_pattern(host)) {
            return wrong("engine.registry_hosts", format!("{bad:?} is not the name of a host"));
        }
        if self.environments.memory_bytes < 512 << 20 {
            return wrong("engine.environments.memory_bytes", "compilers need at least 536870912 (512 MiB)");
        }
        if self.pool.size > 256 {
            return wrong("engine.pool.size", "must be 0–256; every waiting runtime costs memory");
        }
        self.egress.validate()?;
        self.install.validate()?;
        self.language.validate()?;
        self.runs.validate()
    }
}

impl RunsConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.concurrent > 1_024 {
            return wrong("engine.runs.concurrent", "must be 0–1024");
        }
        if self.pool > 64 {
            return wrong("engine.runs.pool", "must be 0–64; every waiting interpreter costs memory");
        }
        for (key, limits) in [("engine.runs.usual", &self.usual), ("engine.runs.most", &self.most)] {
            if let Err(fault) = limits.validate() {
                return wrong(key, fault.message);
            }
        }
        Ok(())
    }
}

impl EgressConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        for (key, hosts) in
            [("engine.egress.allow_hosts", &self.allow_hosts), ("engine.egress.deny_hosts", &self.deny_hosts)]
        {
            if let Some(bad) = hosts.iter().find(|host| !is_host_pattern(host)) {
                return wrong(key, format!("{bad:?} is not of the form example.org or *.example.org"));
            }
        }
        if self.connections == 0 || self.connections > 4_096 {
            return wrong("engine.egress.connections", "must be 1–4096");
        }
        if self.rate < 1_024 || self.burst < 64 << 10 {
            return wrong(
                "engine.egress.rate",
                "must be at least 1024 bytes per second, with a burst of at least 65536",
            );
        }
        if self.connect_timeout_ms == 0 || self.idle_timeout_ms == 0 {
            return wrong("engine.egress.idle_timeout_ms", "timeouts must be at least 1 ms; there is no \"never\"");
        }
        Ok(())
    }
}

impl InstallConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if !(1_000..=3_600_000).contains(&self.timeout_ms) {
            return wrong("engine.install.timeout_ms", "must be 1000–3600000");
        }
        if self.memory_bytes < 128 << 20 || self.cpu_millis < 100 || self.pids < 16 {
            return wrong(
                "engine.install.memory_bytes",
                "npm needs at least 128 MiB, 100 thousandths of a core and 16 processes",
            );
        }
        if self.max_bytes == 0 || self.max_files == 0 || self.concurrent == 0 {
            return wrong("engine.install.max_bytes", "max_bytes, max_files and concurrent must be at least 1");
        }
        Ok(())
    }
}

impl LanguageConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.memory_bytes < 128 << 20 || self.cpu_millis < 100 || self.concurrent == 0 {
            return wrong(
                "engine.language.memory_bytes",
                "a language server needs at least 128 MiB and 100 thousandths of a core",
            );
        }
        Ok(())
    }
}

fn is_address(key: &'static str, text: &str, what: &str) -> Result<(), ConfigError> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() => Ok(()),
        Ok(_) | Err(_) => wrong(key, format!("must be the http:// or https:// address of {what}, without a user name")),
    }
}

fn is_host_pattern(pattern: &str) -> bool {
    let host = pattern.strip_prefix("*.").unwrap_or(pattern);
    let label =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    host.parse::<IpAddr>().is_ok() || host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> EngineConfig {
        EngineConfig::for_data_dir(Path::new("/var/lib/darter"), "https://npm.example.org/")
    }

    #[test]
    fn the_defaults_of_a_data_directory_are_accepted() {
        assert_eq!(good().validate(), Ok(()));
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let set = |change: fn(&mut EngineConfig)| {
            let mut config = good();
            change(&mut config);
            config.validate().map_err(|error| error.key)
        };
        assert_eq!(set(|c| c.data = "data".into()), Err("engine.data"));
        assert_eq!(set(|c| c.npm_registry = "ftp://x".into()), Err("engine.npm_registry"));
        assert_eq!(set(|c| c.npm_registry = "https://user:word@x".into()), Err("engine.npm_registry"));
        assert_eq!(set(|c| c.pypi_index = "pypi".into()), Err("engine.pypi_index"));
        assert_eq!(set(|c| c.registry_hosts = vec!["*.x".into()]), Err("engine.registry_hosts"));
        assert_eq!(set(|c| c.environments.memory_bytes = 1), Err("engine.environments.memory_bytes"));
        assert_eq!(set(|c| c.pool.size = 1_000), Err("engine.pool.size"));
        assert_eq!(set(|c| c.egress.deny_hosts = vec!["a b".into()]), Err("engine.egress.deny_hosts"));
        assert_eq!(set(|c| c.egress.connections = 0), Err("engine.egress.connections"));
        assert_eq!(set(|c| c.egress.rate = 0), Err("engine.egress.rate"));
        assert_eq!(set(|c| c.egress.idle_timeout_ms = 0), Err("engine.egress.idle_timeout_ms"));
        assert_eq!(set(|c| c.install.timeout_ms = 0), Err("engine.install.timeout_ms"));
        assert_eq!(set(|c| c.install.memory_bytes = 1), Err("engine.install.memory_bytes"));
        assert_eq!(set(|c| c.install.concurrent = 0), Err("engine.install.max_bytes"));
        assert_eq!(set(|c| c.language.concurrent = 0), Err("engine.language.memory_bytes"));
    }
}
