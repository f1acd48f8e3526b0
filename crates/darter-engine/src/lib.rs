//! Places instances of apps and runs workspaces: pool, autoscaling, the freeze ladder, installs, egress.
//!
//! It must never believe a byte that comes out of a sandbox, and never give a sandbox to a second tenant.

pub mod config;
mod contract;
pub mod egress;
pub mod environment;
pub mod hostile;
mod local;
pub mod run;
mod turns;
pub mod workspace;

pub use config::EngineConfig;
pub use contract::*;
pub use local::{LocalEngine, Progress, Step};
