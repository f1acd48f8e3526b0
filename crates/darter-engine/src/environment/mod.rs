//! Environments: installed software stacks that workspaces start from. Read-only, shared by many tenants, named by digest.
//!
//! Nothing here knows a workspace.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::Fault;
use darter_core::workspace::EnvironmentName;
use serde::{Deserialize, Serialize};

/// What an environment's editor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditorKind {
    Vscode,
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
    /// What a waiting, unclaimed one costs, bytes.
    pub memory_hint: u64,
}

/// Where a workspace's environment is looked up.
#[async_trait]
pub trait Environments: Send + Sync + 'static {
    /// The newest installed one of this name. Faults: `environment.not_found`, `environment.not_installed` (503, with the
    /// progress of its install in the details, and when to try again).
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault>;
    /// All that could be started from now, for the pool.
    fn ready(&self) -> Vec<Arc<InstalledEnvironment>>;
}
