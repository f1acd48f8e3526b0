//! Runs that start nothing: a program's output is its own source.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::Fault;
use darter_core::run::{RunLimits, Verdict};
use darter_engine::run::{Captured, Language, Languages, Outcome, Program, Runs, Standing};

/// Echoes.
pub struct FakeRuns {
    languages: Languages,
}

impl Default for FakeRuns {
    fn default() -> Self {
        Self { languages: Languages::load(Path::new("/nonexistent")) }
    }
}

#[async_trait]
impl Runs for FakeRuns {
    fn languages(&self) -> &Languages {
        &self.languages
    }

    fn limits(&self) -> (RunLimits, RunLimits) {
        (RunLimits::default(), RunLimits::default())
    }

    async fn standing(&self, language: &Arc<Language>) -> Standing {
        Standing { version: Some(format!("{} 1.0", language.name)), lacks: Vec::new() }
    }

    async fn run(&self, program: Program) -> Result<Outcome, Fault> {
        let (_, source) = program.files.into_iter().next().unwrap();
        Ok(Outcome {
            verdict: Verdict::Ok,
            code: Some(0),
            signal: None,
            stdout: Captured { bytes: source, cut: false },
            stderr: Captured::default(),
            compiled: None,
            line: None,
            cpu_us: 1,
            wall_us: 1,
            memory_peak: 1,
            phases: Vec::new(),
        })
    }
}
