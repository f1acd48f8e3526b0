//! The front door for tenants' traffic: accept, identify, route, admit, wake, proxy, meter, log.
//!
//! Law 5: a hot request is answered from memory; no database and no control-plane call on the way.

mod directory;

pub use directory::{AppRoute, Directory, RouteState};
