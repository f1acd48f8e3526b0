//! What the gateway and the engine ask of the platform. Hot questions are answered from memory.

mod bundles;
mod front;
mod routes;
mod source;

pub use bundles::Bundles;
pub use front::{acquire, acquire_version, load, may_view, record};
pub use routes::{Route, Routes};
pub use source::Source;
