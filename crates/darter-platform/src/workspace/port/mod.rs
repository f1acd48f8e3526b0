//! Ports of a workspace: which are open, who may reach them, and links that open one to whoever has them.

mod share;
mod visibility;

pub use share::{share, shares, unshare};
pub use visibility::{list, reset, set};
