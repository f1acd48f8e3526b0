//! What can go wrong with a sandbox, in words for an operator.
//!
//! Texts here name host paths: they are for logs and `doctor`, never for a tenant.

use std::io;

/// Why a sandbox could not be made or steered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SandboxError {
    /// The description is not one a sandbox can be made from; nothing was done.
    #[error("the sandbox description is wrong: {0}")]
    Spec(String),
    /// A step of building failed; whatever had been made is gone again.
    #[error("making the sandbox failed at {step}: {reason}")]
    Build {
        /// What was being done.
        step: String,
        /// The kernel's answer, and what to do where we know.
        reason: String,
    },
    /// The workload's program could not be started (missing, not executable, wrong libraries).
    #[error("starting {program} inside the sandbox failed: {reason}")]
    Exec {
        /// `argv[0]`.
        program: String,
        /// The kernel's answer.
        reason: String,
    },
    /// The sandbox has ended.
    #[error("the sandbox has ended")]
    Ended,
    /// The launcher process is gone; every sandbox went with it. Restart the server.
    #[error("the launcher process is gone and every sandbox with it: restart the server")]
    LauncherGone,
    /// This machine cannot do it.
    #[error("not possible on this machine: {0}")]
    Unsupported(String),
    /// Reading or writing a control file failed.
    #[error("{what}: {reason}")]
    Control {
        /// Which file or operation.
        what: String,
        /// The kernel's answer.
        reason: String,
    },
    /// Every slot (a range of user ids) is taken.
    #[error("all {0} sandbox slots are in use: stop something, or raise the number of slots")]
    Full(u32),
}

impl SandboxError {
    pub(crate) fn control(what: impl Into<String>, error: io::Error) -> Self {
        Self::Control { what: what.into(), reason: error.to_string() }
    }
}

/// Why the launcher could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Forking is only safe while the process has one thread.
    #[error("the launcher must be forked before any thread exists, but this process has {0} threads")]
    Threads(usize),
    /// A system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
}
