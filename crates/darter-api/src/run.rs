//! Runs of snippets, and the languages there are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::function::Phase;

/// A language that programs can be written in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Language {
    pub name: String,
    pub title: String,
    /// Other words for it that are understood.
    pub aliases: Vec<String>,
    /// Endings of its files, the usual one first.
    pub endings: Vec<String>,
    /// What a source without a name is called.
    pub file: String,
    /// A first program.
    pub hello: String,
    /// Whether programs of it can run now.
    pub installed: bool,
    /// What its own program says of its version.
    pub version: Option<String>,
    /// Debian packages that the operator has to install for it.
    pub lacks: Vec<String>,
}

/// A file of a program.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// A path that leads down: `main.py`, `lib/text.py`.
    pub path: String,
    pub content: String,
}

/// What a run may use; what is not said is as usual. Times in milliseconds, sizes in bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimitsAsked {
    /// Processor time, summed over all threads and processes.
    pub cpu_ms: Option<u64>,
    /// From the program's start to its end.
    pub wall_ms: Option<u64>,
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Of the folder it works in, and of `/tmp`.
    pub disk_bytes: Option<u64>,
    /// Of standard output and standard error, each.
    pub output_bytes: Option<u64>,
}

/// `POST /runs`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRun {
    /// A name, another word for it, or a file's ending.
    pub language: String,
    /// One file. This or `files`.
    pub source: Option<String>,
    /// Several; the first one is started.
    #[serde(default)]
    pub files: Vec<RunFile>,
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What the program reads.
    #[serde(default)]
    pub stdin: String,
    #[serde(default)]
    pub limits: RunLimitsAsked,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunVerdict {
    /// The program ended by itself, with code 0.
    Ok,
    /// It was not started: it could not be compiled.
    CompileError,
    /// It ended with another code, or a signal ended it.
    RuntimeError,
    /// It needed more processor time than it may.
    CpuLimit,
    /// It took longer than it may.
    WallLimit,
    /// It needed more memory than it may.
    MemoryLimit,
    /// It wrote more than it may.
    OutputLimit,
}

/// What a program wrote.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunOutput {
    /// What is not UTF-8 in it is replaced by U+FFFD.
    pub text: String,
    /// It wrote more than is kept.
    pub cut: bool,
}

/// How a compilation went.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunCompilation {
    /// What the compiler said.
    pub output: RunOutput,
    /// It was compiled before, and is used again.
    pub cached: bool,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Run {
    pub language: String,
    pub verdict: RunVerdict,
    /// The verdict for people, with what to try.
    pub message: String,
    /// What the program ended with by itself.
    pub exit_code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    pub stdout: RunOutput,
    pub stderr: RunOutput,
    /// None: its language needs no compilation.
    pub compilation: Option<RunCompilation>,
    /// The line of the first file that an error names.
    pub line: Option<u32>,
    pub cpu_us: u64,
    pub wall_us: u64,
    pub memory_peak_bytes: u64,
    /// Microseconds of each phase: `queue`, `compile`, `sandbox`, `run`.
    pub phases: Vec<Phase>,
}
