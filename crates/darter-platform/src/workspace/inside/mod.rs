//! What is inside a workspace, for its members: files, terminals, programs. Spoken with the attendant over a socket that
//! the platform made; every byte of its answers is hostile, and nothing it says is shown as our own words.

mod attendant;
mod files;
mod sockets;
pub mod ssh;
mod stream;

pub use files::{Bytes, Content, Write, archive, change, has_any, list, read, unpack, write};
pub use sockets::{Handshake, Tunnel, exec, terminal};
pub use stream::Inside;
