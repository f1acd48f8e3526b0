//! SSH to workspaces: one port for all of them, people's own keys, and the workspace's label as the login name.
//!
//! It passes bytes between a client and the attendant inside; which key opens what only the platform knows. Both ends are
//! strangers: it must never let one without a key ask for anything, never hold more than a bounded part of what either
//! sends, never reach anything but the one workspace, and never tell a name that nobody has from a key that opens nothing.

mod channel;
mod command;
mod crowd;
mod gate;
mod guest;
mod host_key;
mod program;
mod relay;
mod server;

pub use host_key::{HostKey, HostKeyError};
pub use server::Server;
