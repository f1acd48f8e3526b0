//! Places instances of apps: pool, autoscaling, the freeze ladder, installs, egress.
//!
//! It must never believe a byte that comes out of a sandbox, and never give a sandbox to a second tenant.

mod contract;

pub use contract::*;
