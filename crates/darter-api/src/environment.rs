//! Environments: the stacks of software that workspaces start from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an environment stands on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentState {
    /// Known, not installed.
    Available,
    Installing,
    Installed,
    /// The last install or verification failed; `trouble` says why.
    Broken,
}

/// An environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    pub name: String,
    pub title: String,
    pub description: String,
    /// The same in other languages, by their code: `zh`.
    pub translations: BTreeMap<String, EnvironmentWords>,
    /// The environment that this one adds to.
    #[serde(default)]
    pub extends: Option<String>,
    /// The OCI image that it stands on: its reference, or the folder of its layout.
    #[serde(default)]
    pub image: Option<String>,
    /// Whether it came with the server; the others are the operator's own.
    pub shipped: bool,
    /// Workspaces of it can open light; the others always open full.
    pub light: bool,
    pub state: EnvironmentState,
    /// Names exactly what is installed.
    #[serde(default)]
    pub digest: Option<String>,
    /// Of its own files; what it extends counts there.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The recipe has changed since it was installed.
    pub outdated: bool,
    #[serde(default)]
    pub progress: Option<EnvironmentProgress>,
    #[serde(default)]
    pub trouble: Option<EnvironmentTrouble>,
    pub memory: EnvironmentMemory,
}

/// A title and a description.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentWords {
    pub title: String,
    pub description: String,
}

/// Where an install is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentProgress {
    pub since: i64,
    /// `waiting`, `check`, `download`, `unpack`, `patch`, `packages`, `step`, `trim`, `warm`, `record`, `store`.
    pub phase: String,
    /// What of it: an archive, a step's title.
    pub what: String,
    /// Of all phases, which.
    pub number: u32,
    pub of: u32,
    /// Of a download: bytes so far and in all (0: unknown).
    pub bytes: u64,
    pub total: u64,
    /// The last line that a program wrote.
    pub line: String,
}

/// Why an environment is broken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentTrouble {
    pub code: String,
    pub message: String,
}

/// What a workspace of it takes, bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentMemory {
    /// Started, and nobody there.
    pub idle: u64,
    /// In use.
    pub open: u64,
    /// The limit that a new workspace gets unless its owner says otherwise.
    pub usual: u64,
}

/// `POST /environments/{environment}/verify`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentVerified {
    /// Files that are not as they were installed, at most twenty; none: all is well.
    pub different: Vec<String>,
}
