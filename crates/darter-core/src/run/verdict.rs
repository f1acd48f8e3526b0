//! What became of a run, in one word, from what was seen of its end.

use serde::{Deserialize, Serialize};

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The program ended by itself, with code 0.
    Ok,
    /// It was not started: it could not be compiled.
    CompileError,
    /// It ended with another code, or a signal ended it.
    RuntimeError,
    /// It needed more processor time than it may.
    CpuLimit,
    /// It took longer than it may, waiting included.
    WallLimit,
    /// It needed more memory than it may.
    MemoryLimit,
    /// It wrote more than it may.
    OutputLimit,
}

/// Why the platform ended a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Cpu,
    Wall,
    Output,
}

/// What was seen of a program's end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// Set when the platform ended it.
    pub stopped: Option<Stop>,
    /// The kernel ended a process of it for want of memory.
    pub out_of_memory: bool,
    /// Set when it ended by itself.
    pub code: Option<i32>,
}

impl Ending {
    /// The word for a program that ran. What the platform did comes first: it is why everything else happened. A program
    /// that lives on after the kernel has ended one of its processes may still end well.
    pub fn verdict(&self) -> Verdict {
        match (self.stopped, self.out_of_memory, self.code) {
            (Some(Stop::Cpu), ..) => Verdict::CpuLimit,
            (Some(Stop::Wall), ..) => Verdict::WallLimit,
            (Some(Stop::Output), ..) => Verdict::OutputLimit,
            (None, _, Some(0)) => Verdict::Ok,
            (None, true, _) => Verdict::MemoryLimit,
            (None, false, _) => Verdict::RuntimeError,
        }
    }

    /// The word for a compilation. Its walls have the words of a program's.
    pub fn compiled(&self) -> Option<Verdict> {
        match self.verdict() {
            Verdict::Ok => None,
            Verdict::RuntimeError => Some(Verdict::CompileError),
            wall => Some(wall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(stopped: Option<Stop>, out_of_memory: bool, code: Option<i32>) -> Ending {
        Ending { stopped, out_of_memory, code }
    }

    #[test]
    fn the_word_says_what_was_first() {
        for (seen, word) in [
            (ending(None, false, Some(0)), Verdict::Ok),
            (ending(None, true, Some(0)), Verdict::Ok),
            (ending(None, false, Some(3)), Verdict::RuntimeError),
            (ending(None, false, None), Verdict::RuntimeError),
            (ending(None, true, Some(1)), Verdict::MemoryLimit),
            (ending(None, true, None), Verdict::MemoryLimit),
            (ending(Some(Stop::Cpu), true, None), Verdict::CpuLimit),
            (ending(Some(Stop::Wall), false, None), Verdict::WallLimit),
            (ending(Some(Stop::Output), false, Some(0)), Verdict::OutputLimit),
        ] {
            assert_eq!(seen.verdict(), word, "{seen:?}");
        }
    }

    #[test]
    fn a_compilation_that_fails_is_no_error_of_the_running_program() {
        assert_eq!(ending(None, false, Some(0)).compiled(), None);
        assert_eq!(ending(None, false, Some(1)).compiled(), Some(Verdict::CompileError));
        assert_eq!(ending(None, true, None).compiled(), Some(Verdict::MemoryLimit));
    }
}
