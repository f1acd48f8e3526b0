//! Workspaces on an engine: what it offers, what it needs, and how this machine does it.
//!
//! Law 6 holds doubly here: whoever sits in a workspace has a shell in it.

pub mod config;
mod contract;
mod local;

pub use config::WorkspacesConfig;
pub use contract::*;
pub(crate) use local::PROGRAM;
pub use local::{AttendantProgram, LocalWorkspaces, Setup};
