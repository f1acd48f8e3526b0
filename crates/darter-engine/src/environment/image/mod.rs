//! An environment's system from an OCI image: found in a layout or a registry, unpacked, made fit for sandboxes.
//!
//! ```text
//! registry ──pull──► layout ──each layer, checked──► tree ──settle──► the `/usr`, `/etc` … of sandboxes
//! ```
//! Nothing of an image is executed here.

mod digest;
mod document;
pub(crate) mod hostile;
mod install;
mod layer;
mod layout;
mod origin;
mod registry;
mod system;
mod tree;

pub use digest::Digest;
pub use origin::Origin;
pub use system::System;
