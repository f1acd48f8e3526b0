//! Workspaces: making, changing, starting, resting, removing them, and who may enter.

mod absent;
mod access;
mod config;
pub mod contract;
mod create;
mod events;
mod inspect;
mod next;
mod offer;
mod purge;
mod reconcile;
mod side;
mod source;
mod state;
mod update;
mod view;
mod wake;

pub use absent::NoWorkspaces;
pub use config::WorkspaceConfig;
pub use create::create;
pub use events::{Events, watch};
pub use inspect::{get, list};
pub use purge::purge_due;
pub use reconcile::{keep_workspaces, reconcile};
pub(crate) use side::load;
pub use side::{Doorplate, WorkspaceSide};
pub use source::Residents;
pub use state::{change, keep, purge, restart};
pub use update::update;
