//! Custom domains of apps.

mod claim;
pub(crate) mod dns;
mod host;
pub(crate) mod hostile;
mod verify;

pub use claim::{create, list, remove};
pub use dns::{Resolver, SystemResolver};
pub use verify::{verify, verify_by_hand};
