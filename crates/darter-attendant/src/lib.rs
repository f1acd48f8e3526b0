//! The attendant: what serves inside every workspace's sandbox, as the workload, on a socket that the platform made.
//! Files, terminals, search, ports, snapshots, the editor's start and end, and what a person and their programs do.
//!
//! It can do no more than the tenant's own shell, keeps no secret, and asks nobody anything. It must never follow a link
//! out of a tree that it was told to pack, search or copy; never hold more than a bounded part of anything in memory; and
//! never let the runtime's only thread wait for a disk. `docs/reference/attendant.md` is its interface.

mod activity;
mod answer;
mod archive;
mod attendant;
mod blocking;
mod body;
mod claim;
#[cfg(feature = "client")]
pub mod client;
mod disk;
mod editor;
mod environment;
mod events;
mod excludes;
mod exec;
mod fault;
mod files;
#[cfg(feature = "client")]
pub mod hostile;
mod language;
mod name;
mod params;
mod passed;
mod ports;
mod processes;
mod program;
mod relay;
mod route;
mod search;
mod serve;
mod session;
mod sftp;
mod signal;
pub mod snapshot;
mod terminal;
mod tree;
mod websocket;

use std::process::ExitCode;

/// The program `darter attendant`. Call it before a thread exists and before anything large is made: it makes a small
/// runtime of its own. It returns only when the listening socket fails.
pub fn main() -> ExitCode {
    match serve::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The only words that it has for whoever started it.
            eprintln!("darter attendant: {error}; descriptor 3 must be a listening unix socket");
            ExitCode::FAILURE
        }
    }
}
