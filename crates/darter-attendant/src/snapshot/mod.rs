//! A home as a stream and back. Made inside, read outside: every line of it is hostile there, and is parsed by the one
//! strict reader that is here for both sides.

pub mod line;
#[cfg(feature = "client")]
pub mod reader;
pub(crate) mod restore;
pub(crate) mod take;
