//! The domain of Darter: typed ids, names, roles, limits and lifecycles.
//!
//! Everything here is a value or a pure function. This crate must never do I/O, be async, read a clock or
//! draw a random number by itself: time comes in through [`Clock`], chance through [`Random`].

pub mod app;
pub mod clock;
pub mod fault;
pub mod function;
pub mod id;
pub mod instance;
pub mod limits;
mod name;
pub mod random;
pub mod record;
pub mod role;
pub mod run;
pub mod workspace;

pub use clock::{Clock, Millis, SystemClock};
pub use fault::{Fault, Kind};
pub use id::{
    AccountId, AppId, AuditId, FunctionId, InvitationId, RequestId, SessionId, ShareId, SnapshotId, SshKeyId, TokenId,
    VisitId, WorkspaceId,
};
pub use random::{Random, SystemRandom};
