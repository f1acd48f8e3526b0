//! The framed protocol between the platform and a runtime inside a sandbox: codec and multiplexing client.
//!
//! See `docs/reference/wire-protocol.md`. Every byte from the runtime is hostile: the first violation closes the connection.

mod lease;

pub use lease::Lease;

/// A live, multiplexed connection to one instance. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Connection;
