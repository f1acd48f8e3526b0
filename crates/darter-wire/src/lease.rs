//! A place in an instance: what the engine hands to whoever wants to send it one request.

use std::any::Any;
use std::fmt;

use darter_core::record::StartPhases;

use crate::Connection;

/// The right to send one request at a time to an instance. Dropping it gives the place back.
pub struct Lease {
    /// Shared by all leases of the instance; cloning is cheap.
    pub connection: Connection,
    /// Present when the instance was started or thawed for this lease.
    pub start: Option<StartPhases>,
    /// Gives the place back when dropped. Opaque: the engine's business.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("start", &self.start).finish_non_exhaustive()
    }
}
