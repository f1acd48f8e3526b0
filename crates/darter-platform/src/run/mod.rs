//! Runs: one execution of a snippet. Who may start one, what it may use, and what its end is called.

mod languages;
mod start;
mod words;

pub use languages::languages;
pub use start::start;
