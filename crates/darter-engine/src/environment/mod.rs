//! Environments: named stacks of software that workspaces start from, installed once for all who use them.
//!
//! A recipe (`environments/<name>/environment.toml`) is installed into `<environments>/<name>/<digest>/` and seen there
//! by one rename, whole or not at all. Nothing of an install runs outside a sandbox, and nothing tenants do can write
//! to it.

mod catalogue;
mod contract;
mod disk;
mod host;
mod image;
mod install;
mod language;
mod patch;
mod progress;
mod recipe;
mod record;
mod source;

pub(crate) use image::hostile;

pub use catalogue::{Catalogue, EditorPage, Listed, PageContent, State};
pub use contract::*;
pub use language::LanguageServer;
pub use progress::{InstallEvent, InstallState};
pub use recipe::{Memory, Prerendered, Words};
pub use source::Unread;

use darter_sandbox::{Bind, LauncherClient};

use crate::EngineConfig;
use crate::egress::Proxy;
use crate::local::layout::Layout;

/// What installs work with.
pub(crate) struct Tools {
    pub config: EngineConfig,
    pub layout: Layout,
    pub launcher: LauncherClient,
    /// Node and npm at `/runtime`, for installs.
    pub runtime_binds: Vec<Bind>,
    pub proxy: Proxy,
}
