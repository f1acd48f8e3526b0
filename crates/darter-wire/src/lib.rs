//! The framed protocol between the platform and a runtime inside a sandbox: codec and multiplexing client.
//!
//! See `docs/reference/wire-protocol.md`. Every byte from the runtime is hostile: the first violation closes the
//! connection and fails every stream on it with a typed error.
//!
//! ```ignore
//! let connection = Connection::start(unix_stream);             // spawns one task
//! let (sink, answer) = connection.open(&head, Begin::Whole)?;  // the REQUEST frame is queued
//! let response = answer.await?;                                // head and first bytes
//! ```
//! Dropping [`Answer`] or [`ResponseBody`] before the end cancels the request (RESET 1).

mod asked;
mod codec;
mod connection;
mod error;
mod exchange;
pub mod hostile;
mod lease;
mod output;
mod state;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;

pub use asked::Asked;
pub use connection::Connection;
pub use error::{CloseReason, Violation, WireError, reset};
pub use exchange::{Answer, Begin, RequestHead, RequestSink, Response, ResponseBody, Tunnel};
pub use lease::Lease;

/// The longest payload of a frame.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// The longest payload of a DATA frame that we send.
pub const MAX_DATA: usize = 64 << 10;
/// The longest request or response head, as text.
pub const MAX_HEAD: usize = 64 << 10;
/// DATA in flight per stream and direction.
pub const WINDOW: usize = 256 << 10;
/// Response headers.
pub const MAX_HEADERS: usize = 1_000;
/// Open streams on a connection.
pub const MAX_STREAMS: usize = 4_096;
