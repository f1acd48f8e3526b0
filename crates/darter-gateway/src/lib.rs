//! The front door for tenants' traffic: accept, identify, route, admit, wake, forward, answer, meter, log.
//!
//! Law 5: a hot request is answered from memory; no database and no control-plane call on the way.
//! It must never hold a whole body, believe a client's forwarding header, or let a platform token into a sandbox.
//!
//! ```ignore
//! let gateway = Gateway::new(config, Parts { directory, doors, clock, random }, axum_router)?;
//! let listeners = vec![Listener::plain(tcp_listener), Listener::tls(other, tls)];
//! gateway.serve(listeners, async { ctrl_c().await }).await;   // returns when everything is drained
//! ```
//!
//! The console's service gets requests for `domain`, `localhost` and address literals with these headers set by the
//! gateway (whatever the client sent under these names is gone): `x-request-id`, `x-real-ip`, `x-forwarded-for`,
//! `x-forwarded-proto`, `x-forwarded-host`. Upgrades (`axum`'s WebSockets) work.

mod amount;
mod config;
mod connection;
mod context;
mod crowd;
mod directory;
pub mod hostile;
mod intake;
mod listener;
mod page;
mod patience;
mod phase;
mod reply;
mod server;
mod tls;
mod words;
mod workspace;

pub use config::{ConfigError, GatewayConfig, Network};
pub use directory::{AppRoute, Directory, RouteState};
pub use intake::{Intake, IntakeError};
pub use listener::Listener;
pub use server::{ConsoleBody, Gateway, Parts, Snapshot};
pub use tls::{Certificate, Tls};
pub use workspace::{
    Accepted, Connection, Doors, Entry, Front, NoWorkspaces, Page, PageAsk, Signal, Spot, StaticFile, WorkspaceRoute,
};
