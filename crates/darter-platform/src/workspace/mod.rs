//! Workspaces: making, changing, starting, resting, removing them, and who may enter.

mod absent;
mod access;
mod clone;
mod config;
mod create;
pub mod door;
mod events;
pub mod inside;
mod inspect;
mod next;
mod offer;
pub mod port;
mod purge;
mod reconcile;
mod side;
pub mod snapshot;
mod source;
mod state;
mod update;
mod view;
mod wake;

pub use absent::{NoWorkspaces, at_rest};
pub use clone::clone;
pub use config::WorkspaceConfig;
pub use create::create;
pub use events::{Events, watch};
pub use inspect::{get, list};
pub use purge::purge_due;
pub use reconcile::{keep_workspaces, reconcile};
pub(crate) use side::load;
pub use side::{Doorplate, WorkspaceSide};
pub(crate) use snapshot::vault;
pub use source::Residents;
pub use state::{change, keep, purge, restart};
pub use update::update;
pub use view::port_address;
