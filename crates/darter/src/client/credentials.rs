//! Tokens that `darter login` keeps: one for each server, in a file that only its owner can read.
//! It must never be written half: a new file takes the old one's place.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Exit, Failure};

/// `$XDG_CONFIG_HOME/darter/credentials.toml`
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Credentials {
    /// The server that commands speak to unless told.
    #[serde(default)]
    pub current: Option<String>,
    /// Address → token.
    #[serde(default)]
    pub tokens: BTreeMap<String, String>,
}

impl Credentials {
    fn path() -> Result<PathBuf, Failure> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
        folder.map(|folder| folder.join("darter/credentials.toml")).ok_or_else(|| {
            Failure::usage(
                "Neither HOME nor XDG_CONFIG_HOME is set: use DARTER_URL and DARTER_TOKEN instead of a login.",
            )
        })
    }

    /// What is kept; nothing when there is no file.
    pub fn load() -> Result<Self, Failure> {
        let path = Self::path()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                let what =
                    format!("{} cannot be read: {}. Remove it and log in again.", path.display(), error.message());
                Failure::new(Exit::Failed, what)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::new(Exit::Failed, format!("{}: {error}", path.display()))),
        }
    }

    /// Keeps it.
    pub fn save(&self) -> Result<(), Failure> {
        let path = Self::path()?;
        let text = toml::to_string(self).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(&path);
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)
        };
        write().map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))
    }
}
