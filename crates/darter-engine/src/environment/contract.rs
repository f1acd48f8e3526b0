//! What the rest of the engine knows of environments: what is whole, on disk, and may be started from.
//!
//! Nothing here knows a workspace, and nothing an install.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::Fault;
use darter_core::workspace::EnvironmentName;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::catalogue::{EditorPage, Listed};
use super::language::LanguageServer;
use super::progress::InstallEvent;
use super::source::Unread;

/// What an environment's editor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditorKind {
    /// The gateway renders the page; the server inside speaks VS Code's own protocol.
    Vscode,
    /// The server inside answers everything.
    Jupyter,
}

/// An environment that is whole, on disk, and may be started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledEnvironment {
    pub name: EnvironmentName,
    /// Of the recipe, its files and its lockfiles.
    pub digest: String,
    /// Shown read-only at `/env`. Absolute, without links, below a folder that the launcher may show.
    pub root: PathBuf,
    /// The unpacked image whose folders are shown in place of this machine's `/usr`, `/etc` …; of the same kind as `root`.
    pub system: Option<PathBuf>,
    pub kind: EditorKind,
    /// How the editor starts inside; it finds its listening socket at `descriptor`.
    pub argv: Vec<String>,
    /// Besides what every program gets.
    pub env: Vec<(String, String)>,
    /// Number of the editor's listening socket; 3 when absent.
    pub descriptor: Option<i32>,
    /// A line of its output that holds this says that it is ready; absent: it is once it runs.
    pub ready: Option<String>,
    /// It can be started before it is known whose it is, and told then.
    pub warm: bool,
    /// What a light editor may start, by name.
    pub language_servers: BTreeMap<String, LanguageServer>,
    /// What a waiting, unclaimed one costs, bytes.
    pub memory_hint: u64,
}

impl InstalledEnvironment {
    /// What terminals start.
    pub fn shell(&self) -> &str {
        let own = self.env.iter().find(|(name, _)| name == "SHELL");
        own.map_or("/bin/bash", |(_, shell)| shell)
    }
}

/// Where a workspace's environment is looked up.
#[async_trait]
pub trait Environments: Send + Sync + 'static {
    /// The newest installed one of this name. Faults: `environment.not_found`, `environment.not_installed` (503, with the
    /// progress of its install in the details, and when to try again).
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault>;
    /// All that could be started from now, for the pool.
    fn ready(&self) -> Vec<Arc<InstalledEnvironment>>;

    /// All that there are, installed or not.
    fn list(&self) -> Vec<Listed> {
        Vec::new()
    }
    /// The operator's recipes that could not be read when the server started.
    fn unread(&self) -> Vec<Unread> {
        Vec::new()
    }
    /// One of them. Faults: `environment.not_found`.
    fn inspect(&self, name: &EnvironmentName) -> Result<Listed, Fault> {
        let found = self.list().into_iter().find(|listed| listed.name == *name);
        found.ok_or_else(|| Fault::not_found("environment.not_found", format!("There is no environment {name}.")))
    }
    /// Begins to install it unless it is there (`None`) or under way; what happens can be watched.
    fn install(self: Arc<Self>, name: &EnvironmentName) -> Result<Option<broadcast::Receiver<InstallEvent>>, Fault> {
        self.inspect(name).map(|_| None)
    }
    /// What an install under way says. `None`: there is none.
    fn watch(&self, _: &EnvironmentName) -> Option<broadcast::Receiver<InstallEvent>> {
        None
    }
    /// Compares every file with what the install left: the paths that differ, at most some.
    async fn verify(&self, name: &EnvironmentName) -> Result<Vec<String>, Fault> {
        self.inspect(name).map(|_| Vec::new())
    }
    /// Deletes it from this machine. Faults: `environment.in_use`.
    async fn remove(&self, name: &EnvironmentName) -> Result<(), Fault> {
        self.inspect(name).map(|_| ())
    }
    /// What the page of its editor is rendered from; `None`: the server inside answers it, or it is not installed.
    fn page(&self, _: &EnvironmentName) -> Option<EditorPage> {
        None
    }
    /// The folder of the static files that this digest names.
    fn static_files(&self, _digest: &str) -> Option<PathBuf> {
        None
    }
}
