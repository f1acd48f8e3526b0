//! Runs: a program comes as text, is compiled when its language needs that, and runs in a sandbox that nobody used before
//! and nobody uses again.
//!
//! ```text
//! files ─► pack (memory) ─► turn ─► compile (sandbox) ─► kept (memory) ─► run (sandbox) ─► verdict
//!                                    └─ found in the cache: same tenant, recipe and files ──┘
//! ```
//!
//! Nothing that a program leaves is ever opened here, and no compilation of one tenant's is given to another.

mod bundle;
mod cache;
mod execute;
mod languages;
mod local;
mod recipe;
mod slots;

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::run::{RunLimits, Verdict};
use darter_core::{AccountId, Fault};
use serde::Serialize;

pub use bundle::{MOST_FILES, check_path};
pub use languages::{Language, Languages};
pub use local::LocalRuns;

/// What to run. Paths were checked ([`check_path`]), limits chosen.
#[derive(Debug, Clone)]
pub struct Program {
    /// Whose turn it is, and whose compilations are used again.
    pub owner: AccountId,
    pub language: Arc<Language>,
    /// The one that is started first.
    pub files: Vec<(String, Vec<u8>)>,
    pub arguments: Vec<String>,
    pub stdin: Vec<u8>,
    pub limits: RunLimits,
}

/// Bytes that a program wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    pub bytes: Vec<u8>,
    /// It wrote more.
    pub cut: bool,
}

/// What a compiler said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    pub output: Captured,
    /// It was compiled before.
    pub cached: bool,
}

/// What became of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    /// Of the program; none when it did not end by itself, or was not started.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: Captured,
    pub stderr: Captured,
    pub compiled: Option<Compiled>,
    /// The line of the first file that an error names.
    pub line: Option<u32>,
    pub cpu_us: u64,
    pub wall_us: u64,
    pub memory_peak: u64,
    /// Microseconds of each phase: `queue`, `compile`, `sandbox`, `run`.
    pub phases: Vec<(String, u64)>,
}

/// A language as it stands on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What its own program says of its version.
    pub version: Option<String>,
    /// The Debian packages that are missing for it.
    pub lacks: Vec<String>,
}

/// What runs programs.
#[async_trait]
pub trait Runs: Send + Sync + 'static {
    /// The languages that there are recipes for.
    fn languages(&self) -> &Languages;
    /// What a run gets that asks for nothing, and the most that one may ask for.
    fn limits(&self) -> (RunLimits, RunLimits);
    /// How one of them stands here. Its version is asked for once.
    async fn standing(&self, language: &Arc<Language>) -> Standing;
    /// Runs a program to its end. Dropping the future ends it. Faults: `language.missing` (503: what to install),
    /// `run.queue_full` (429), `run.start_failed`.
    async fn run(&self, program: Program) -> Result<Outcome, Fault>;
}
