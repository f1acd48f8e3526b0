//! Workspaces on an engine: what it offers, what it needs, and how this machine does it.
//!
//! Law 6 holds doubly here: whoever sits in a workspace has a shell in it.

mod contract;

pub use contract::*;
