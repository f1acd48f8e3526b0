//! TypeScript (and JavaScript) → the body of an async function, a source map and the list of imports.
//!
//! Pure: text in, text out; no files, no global state, no clock. The source is hostile: whatever it is, the answer is
//! code or diagnostics, never an overflow, a panic that leaves this crate, or a hang. The shape of the code is fixed in
//! `docs/reference/runtime-control.md`.

mod compile;
mod cycle;
mod diagnostic;
mod import;
mod names;
mod nesting;

pub use compile::{Compiled, compile};
pub use cycle::{MissingImport, cycle, missing_imports};
pub use diagnostic::Diagnostic;
pub use import::{Import, resolve_import};

/// Largest source, in bytes. The same as `darter_core::function::SOURCE_LIMIT`; this crate depends on nobody.
pub const SOURCE_LIMIT: usize = 512 * 1024;
