//! The server's configuration: defaults, then the file, then the environment, then the flags; checked whole before any
//! port opens. It must never show a secret, and never guess what an unknown key meant.

mod accounts;
mod database;
mod engine;
mod environment;
mod gateway;
mod key;
mod logs;
mod mail;
mod platform;
mod provider;
mod reference;
mod registry;
mod runs;
mod secret;
mod server;
mod snapshots;
mod ssh;
mod workspaces;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Table;

pub use accounts::Accounts;
pub use database::Database;
pub use engine::Engine;
pub use gateway::{Gateway, config as gateway_config};
pub use key::{Key, Problem};
pub use logs::Logs;
pub use mail::Mail;
pub use provider::Provider;
pub use reference::reference;
pub use runs::Runs;
pub use secret::Secret;
pub use server::Server;
pub use snapshots::Snapshots;
pub use ssh::Ssh;
pub use workspaces::Workspaces;

/// Everything that an operator decides.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub accounts: Accounts,
    pub mail: Mail,
    pub engine: Engine,
    pub gateway: Gateway,
    pub logs: Logs,
    pub workspaces: Workspaces,
    pub ssh: Ssh,
    pub snapshots: Snapshots,
    pub runs: Runs,
    /// `[[providers]]`: other places to sign in at.
    pub providers: Vec<Provider>,
}

/// Every section with its keys, in the order of the reference page.
pub const SECTIONS: &[(&str, &str, &[Key])] = &[
    ("server", "Where the server listens and what it is called.", server::KEYS),
    ("database", "Where control data is kept.", database::KEYS),
    ("accounts", "Who may come in.", accounts::KEYS),
    ("mail", "How mails are sent. Without it passwords are reset by `darter account reset-password`.", mail::KEYS),
    ("engine", "How functions run.", engine::KEYS),
    ("gateway", "The front door for requests to apps.", gateway::KEYS),
    ("logs", "How much is kept.", logs::KEYS),
    (
        "workspaces",
        "How many workspaces there may be, what they may use, and when they rest. Owners change what is theirs within the keys that end in `_most`.",
        workspaces::KEYS,
    ),
    ("ssh", "SSH to workspaces.", ssh::KEYS),
    ("runs", "Runs of snippets: how many at a time, and what each may use.", runs::KEYS),
    ("snapshots", "Where the data of workspaces' snapshots is kept.", snapshots::KEYS),
];

/// Where settings come from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Sources {
    /// Folder of everything the server keeps
    #[arg(long, global = true, env = "DARTER_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file; `darter.toml` in the data directory unless told
    #[arg(long, global = true, env = "DARTER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on (server.listen)
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Address and port of metrics and health (server.admin_listen)
    #[arg(long, global = true, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// The console's domain (server.domain)
    #[arg(long, global = true, value_name = "D")]
    pub domain: Option<String>,
    /// Apps answer at <id>.<this> (server.apps_domain)
    #[arg(long, global = true, value_name = "D")]
    pub apps_domain: Option<String>,
}

/// A configuration and where its data is.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub data: PathBuf,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    pub config: Config,
}

impl Sources {
    /// The data directory: `/var/lib/darter` for root, else below the person's own data.
    pub fn data(&self) -> Result<PathBuf, Problem> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let chosen = self.data.clone().filter(|path| !path.as_os_str().is_empty());
        let usual = || {
            if rustix::process::getuid().is_root() {
                return Some(PathBuf::from("/var/lib/darter"));
            }
            set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share"))).map(|folder| folder.join("darter"))
        };
        let data = chosen.or_else(usual).ok_or_else(|| {
            Problem::new("data", "neither HOME nor XDG_DATA_HOME is set", "name the data directory with --data DIR")
        })?;
        std::path::absolute(&data).map_err(|error| Problem::new("data", error.to_string(), "use an absolute path"))
    }

    /// Reads everything and checks it. All problems at once, so that a person fixes them in one go.
    pub fn load(&self) -> Result<Loaded, Vec<Problem>> {
        let data = self.data().map_err(|problem| vec![problem])?;
        let (file, mut table) = self.read(&data).map_err(|problem| vec![problem])?;
        let mut problems = key::unknown(&table);
        problems.extend(environment::apply(&mut table, std::env::vars()));
        self.flags(&mut table);
        problems.extend(secret::read_files(&mut table));
        if !problems.is_empty() {
            return Err(problems);
        }
        let config = Config::from_table(table)?;
        Ok(Loaded { data, file, config })
    }

    fn read(&self, data: &Path) -> Result<(Option<PathBuf>, Table), Problem> {
        let named = self.config.clone().filter(|path| !path.as_os_str().is_empty());
        let file = named.clone().unwrap_or_else(|| data.join("darter.toml"));
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let table = text.parse::<Table>().map_err(|error| {
                    let place =
                        error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                    let what = format!("{}, line {place}: {}", file.display(), error.message());
                    Problem::new("file", what, "correct the TOML there")
                })?;
                Ok((Some(file), table))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok((None, Table::new())),
            Err(error) => {
                let what = format!("{} cannot be read: {error}", file.display());
                Err(Problem::new("config", what, "name a file that exists and that this account may read"))
            }
        }
    }

    fn flags(&self, table: &mut Table) {
        let flags = [
            ("listen", &self.listen),
            ("admin_listen", &self.admin_listen),
            ("domain", &self.domain),
            ("apps_domain", &self.apps_domain),
        ];
        for (name, value) in flags.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))) {
            key::put(table, "server", name, value.into());
        }
    }
}

impl Config {
    /// From a table whose keys are known to exist.
    fn from_table(table: Table) -> Result<Self, Vec<Problem>> {
        // Section by section, so that a value of the wrong type is named with its key.
        for (section, _, keys) in SECTIONS {
            let Some(values) = table.get(*section).and_then(toml::Value::as_table) else { continue };
            for (name, value) in values {
                let mut one = Table::new();
                key::put(&mut one, section, name, value.clone());
                if let Err(error) = one.try_into::<Config>() {
                    let fix = keys.iter().find(|key| key.name == name).map_or("see the reference", |key| key.about);
                    return Err(vec![Problem::new(format!("{section}.{name}"), error.message(), fix)]);
                }
            }
        }
        let config: Config = table.try_into().map_err(|error| {
            vec![Problem::new("providers", error.message(), "see docs/reference/configuration.md for a whole example")]
        })?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.server.problems());
        problems.extend(self.database.problems());
        problems.extend(self.mail.problems());
        problems.extend(self.engine.problems());
        problems.extend(self.gateway.problems());
        let gateway = gateway::config(&self.server, &self.gateway).err();
        if gateway.is_none() {
            problems.extend(self.platform_problems());
        }
        problems.extend(gateway);
        problems.extend(self.logs.problems());
        problems.extend(self.ssh.problems());
        problems.extend(provider::problems(&self.providers));
        problems
    }
}

#[cfg(test)]
mod tests;
