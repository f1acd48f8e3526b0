//! Linux walls. The only crate of Darter (with a corner of the agent) that may use `unsafe`.
//!
//! A server forks a [`Launcher`] before anything else, gives its privileges up, and asks the launcher for sandboxes
//! through a [`LauncherClient`]. A [`Sandbox`] is namespaces, a read-only root, cgroup limits, no capabilities, a
//! system-call allow-list and Landlock around one program, with a static agent as its first process.
//!
//! Nothing in this crate ever parses a byte that a tenant wrote, with privileges.

#![deny(missing_docs)]

mod cgroup;
mod channel;
mod client;
mod doctor;
mod egress;
mod error;
pub mod hostile;
mod inside;
mod landlock;
mod launcher;
mod paths;
mod privileges;
mod reclaim;
mod sandbox;
mod seccomp;
mod spec;
mod sys;
pub mod volume;

pub use client::{Abilities, LauncherClient};
pub use doctor::{Wall, probe, probe_volumes};
pub use egress::{Egress, Tunnel};
pub use error::{LaunchError, SandboxError};
pub use launcher::{Launcher, LauncherConfig, Owner};
pub use privileges::become_account;
pub use sandbox::{Exit, ExitReason, Reclaimed, Sandbox, Usage};
pub use spec::{
    Access, Bind, CONTROL_FD, EGRESS_ADDRESS, File, LISTEN_FD, Limits, Link, MAX_BINDS, MAX_FD_NUMBER, MAX_FDS,
    PLATFORM_NAMES, PassedFd, Profile, Root, Scratch, Spec, WORKLOAD_UID, WORKSPACE_TERMINALS,
};
