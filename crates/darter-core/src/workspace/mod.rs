//! A workspace: a persistent home, an editor and a sandbox. Names, depths and doors that every layer speaks of.
//!
//! Pure values. What a workspace does next is decided in the modules below, and nowhere else.

pub mod desired;
pub mod lifecycle;
pub mod limits;
pub mod pass;
pub mod port;
pub mod rest;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::name::folder_name;

pub use desired::Desired;
pub use limits::{WorkspaceLimits, WorkspaceRest};

/// How much of the editor runs inside the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// The editor's page over the attendant alone: files, search, terminals. A few megabytes.
    Light,
    /// The editor's own server too: extensions, debuggers, kernels.
    Full,
}

/// What of a workspace a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// The editor's own server.
    Editor,
    /// The platform's program inside: see `docs/reference/attendant.md`.
    Attendant,
    /// A program of the tenant's that listens on this port.
    Port(u16),
}

/// Whether a workspace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Until its owner deletes it.
    Named,
    /// Removed some time after its last use.
    Temporary,
}

/// Why a snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotReason {
    /// Somebody asked for it. Kept until somebody removes it.
    Manual,
    /// The timetable.
    Timetable,
    /// Before the workspace went into the recycle bin.
    Delete,
    /// Before another snapshot was restored over the home.
    Restore,
    /// Before the depth changed.
    Depth,
    /// Before the environment changed.
    Environment,
}

folder_name! {
    /// The name of an environment, which is the name of its recipe's folder: `vscode`, `jupyter`, `go-1`.
    EnvironmentName,
    Fault::invalid(
        "environment.name_invalid",
        "An environment's name has 1 to 40 lower-case letters, digits and hyphens, a letter first."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_named_like_a_folder_that_leads_nowhere() {
        for good in ["vscode", "go-1", "a"] {
            assert_eq!(good.parse::<EnvironmentName>().map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", "Vscode", "1a", "-a", "a/b", "..", "a b", &"a".repeat(41)] {
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad}");
        }
    }
}
