//! A verdict for people: what happened, where, and what to try.

use darter_core::run::{RunLimits, Verdict};
use darter_engine::run::Outcome;

/// One or two sentences.
pub fn of(title: &str, limits: &RunLimits, outcome: &Outcome) -> String {
    let seconds = |ms: u64| format!("{} s", ms as f64 / 1_000.0);
    let at = outcome.line.map_or_else(String::new, |line| format!(" in line {line}"));
    match outcome.verdict {
        Verdict::Ok => "The program ended well.".into(),
        Verdict::CompileError => {
            format!("{title} found an error{at} before the program could start.")
        }
        Verdict::RuntimeError => failed(&at, outcome),
        Verdict::CpuLimit => format!(
            "The program computed for more than {}. Look for a loop that never ends, or for a way that takes fewer steps.",
            seconds(limits.cpu_ms)
        ),
        Verdict::WallLimit => format!(
            "The program was not finished after {}. Does it wait for something that never comes?",
            seconds(limits.wall_ms)
        ),
        Verdict::MemoryLimit => format!(
            "The program needed more than {} MiB of memory. Look for a list that grows without end, or keep less at once.",
            limits.memory_bytes >> 20
        ),
        Verdict::OutputLimit => format!(
            "The program wrote more than {} KiB. Look for a loop that prints without end.",
            limits.output_bytes >> 10
        ),
    }
}

fn failed(at: &str, outcome: &Outcome) -> String {
    match (outcome.signal, outcome.code) {
        (Some(11), _) => format!(
            "The program used memory that is not its own{at} (segmentation fault). Look at indexes, pointers and endless recursion."
        ),
        (Some(8), _) => format!("The program calculated something impossible{at}, such as a division by zero."),
        (Some(6), _) => format!("The program gave up by itself{at} (abort): a check of its own failed."),
        (Some(number), _) => format!("The program was ended{at} by signal {number}."),
        (None, Some(code)) => format!("The program ended with code {code}{at}."),
        (None, None) => format!("The program did not end by itself{at}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darter_engine::run::Captured;

    #[test]
    fn every_verdict_says_what_happened_and_where_it_is_known() {
        let outcome = |verdict, signal, code| Outcome {
            verdict,
            code,
            signal,
            stdout: Captured::default(),
            stderr: Captured::default(),
            compiled: None,
            line: Some(3),
            cpu_us: 0,
            wall_us: 0,
            memory_peak: 0,
            phases: Vec::new(),
        };
        let limits = RunLimits { cpu_ms: 1_500, ..RunLimits::default() };
        for (verdict, signal, code, part) in [
            (Verdict::Ok, None, Some(0), "well"),
            (Verdict::CompileError, None, None, "line 3"),
            (Verdict::RuntimeError, None, Some(7), "code 7 in line 3"),
            (Verdict::RuntimeError, Some(11), None, "segmentation"),
            (Verdict::RuntimeError, Some(31), None, "signal 31"),
            (Verdict::CpuLimit, None, None, "1.5 s"),
            (Verdict::WallLimit, None, None, "15 s"),
            (Verdict::MemoryLimit, None, None, "256 MiB"),
            (Verdict::OutputLimit, None, None, "1024 KiB"),
        ] {
            let said = of("C", &limits, &outcome(verdict, signal, code));
            assert!(said.contains(part), "{verdict:?}: {said}");
        }
    }
}
