//! Signals by name, and the end of whatever a program started. Must never signal what is not a child of ours.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::fault::Fault;

/// What a program that is told to go has to finish.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// After a program's end, how long its output may be held open by what it left behind.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

const NAMES: &[(&str, Signal)] = &[
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("WINCH", Signal::WINCH),
    ("ALRM", Signal::ALARM),
    ("PIPE", Signal::PIPE),
];

/// `INT` or `SIGINT`.
pub(crate) fn named(name: &str) -> Result<Signal, Fault> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    let found = NAMES.iter().find(|(known, _)| *known == short).map(|(_, signal)| *signal);
    found.ok_or_else(|| Fault::invalid(format!("`{name}` is no signal that can be sent")))
}

/// The name of a signal's number, as in `{"signal":"KILL"}`.
pub(crate) fn name(number: i32) -> String {
    let found = NAMES.iter().find(|(_, signal)| signal.as_raw() == number);
    match (found, number) {
        (Some((name, _)), _) => (*name).into(),
        (None, 6) => "ABRT".into(),
        (None, 7) => "BUS".into(),
        (None, 8) => "FPE".into(),
        (None, 4) => "ILL".into(),
        (None, 11) => "SEGV".into(),
        (None, 24) => "XCPU".into(),
        (None, 25) => "XFSZ".into(),
        (None, other) => other.to_string(),
    }
}

/// Signals a process group. One that is gone needs none.
pub(crate) fn group(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_found_by_both_of_its_names_and_named_again() {
        for (name, signal) in NAMES {
            assert_eq!(named(name).unwrap(), *signal);
            assert_eq!(named(&format!("SIG{name}")).unwrap(), *signal);
            assert_eq!(super::name(signal.as_raw()), *name);
        }
        assert!(named("9").is_err() && named("").is_err());
    }
}
