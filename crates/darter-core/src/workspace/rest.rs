//! When a workspace goes to rest, and why: input, jobs and connections are three signals, and told apart.
//!
//! Input (keys in editor, notebook or terminal) counts fully. A job (a process that uses the processor) counts while it
//! runs, up to the owner's limit after the last input. A connection is weak: with one the longer of two times applies, but
//! an open tab alone keeps nothing awake for ever. "Keep" outweighs all of them. Pure: whoever drives it says what time it
//! is.

use serde::{Deserialize, Serialize};

use super::WorkspaceRest;
use crate::Millis;

/// What a knock woke up stays awake at least for so long (or for `freeze_after_ms`, when that is shorter).
const WOKEN_MS: u64 = 60_000;
/// What was thawed to answer an open page stays so for as long as an answer may take.
const ANSWER_MS: u64 = 10_000;
/// VS Code acknowledges what it heard after two seconds, and a page that waits for that in vain connects anew: what was
/// said just before is acknowledged first. A page that never falls silent puts its rest off by no more than this.
const ACKNOWLEDGED_MS: u64 = 3_000;
const PUT_OFF_MS: u64 = 60_000;

/// What is known of a workspace's use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signals {
    /// When a person last did something; its start counts as such.
    pub input_at: Millis,
    /// Open connections now.
    pub connections: u32,
    /// When the last of them was closed.
    pub left_at: Millis,
    /// When a job was last seen running.
    pub job_at: Option<Millis>,
    /// When somebody last knocked and found it asleep. An open tab that reconnects by itself keeps nothing awake, but what
    /// it woke up stays awake for a moment.
    pub woken_at: Millis,
    /// When it was last thawed only to answer an open page.
    pub answered_at: Option<Millis>,
    /// When an open page last said something that wants an answer.
    pub spoken_at: Option<Millis>,
    pub keep_until: Option<Millis>,
    /// Since when it is frozen.
    pub frozen_at: Option<Millis>,
    /// Since when it rests, answers to an open page aside: a tab that says something now and then keeps nothing from being
    /// stopped.
    pub resting_from: Option<Millis>,
}

/// What comes next for a workspace that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Freeze,
    Stop,
}

/// Why then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nobody is there.
    Quiet,
    /// A tab is open, but nobody does anything in it.
    OpenButQuiet,
    /// A job has run as long as jobs may without a person.
    JobsLimit,
    /// A job has just run.
    JobEnded,
    /// It was to be kept until then.
    Kept,
    FrozenForLong,
}

/// What happens next, when, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    pub step: Step,
    pub at: Millis,
    pub why: Why,
}

/// What happens to a workspace that runs or is frozen, if nothing changes. It is due once `at` has come.
pub fn next(signals: &Signals, rest: &WorkspaceRest, freezer: bool) -> Next {
    match signals.frozen_at {
        Some(frozen_at) => {
            let at = later(signals.resting_from.unwrap_or(frozen_at), rest.stop_after_ms);
            kept(Next { step: Step::Stop, at, why: Why::FrozenForLong }, signals)
        }
        None if freezer => kept(freeze(signals, rest), signals),
        None => {
            let quiet = freeze(signals, rest);
            kept(Next { step: Step::Stop, at: later(quiet.at, rest.stop_after_ms), ..quiet }, signals)
        }
    }
}

fn freeze(signals: &Signals, rest: &WorkspaceRest) -> Next {
    let freeze = |at, why| Next { step: Step::Freeze, at, why };
    let idle = if signals.connections > 0 {
        freeze(later(signals.input_at, rest.freeze_open_after_ms), Why::OpenButQuiet)
    } else {
        freeze(later(signals.input_at.max(signals.left_at), rest.freeze_after_ms), Why::Quiet)
    };
    let woken = freeze(later(signals.woken_at, rest.freeze_after_ms.min(WOKEN_MS)), Why::Quiet);
    let answered = signals.answered_at.map(|at| freeze(later(at, ANSWER_MS), Why::OpenButQuiet));
    let idle = [Some(woken), answered]
        .into_iter()
        .flatten()
        .fold(idle, |one, other| if other.at > one.at { other } else { one });
    let idle = after_a_word(idle, signals);
    let Some(job_at) = signals.job_at else { return idle };
    let most = later(signals.input_at, rest.jobs_most_ms);
    let job = later(job_at, rest.freeze_after_ms);
    let busy = if job > most { freeze(most, Why::JobsLimit) } else { freeze(job, Why::JobEnded) };
    if busy.at > idle.at { busy } else { idle }
}

fn after_a_word(idle: Next, signals: &Signals) -> Next {
    let Some(spoken_at) = signals.spoken_at else { return idle };
    let at = later(spoken_at, ACKNOWLEDGED_MS).min(later(idle.at, PUT_OFF_MS));
    Next { at: idle.at.max(at), ..idle }
}

fn kept(next: Next, signals: &Signals) -> Next {
    match signals.keep_until {
        Some(until) if until > next.at => Next { at: until, why: Why::Kept, ..next },
        Some(_) | None => next,
    }
}

fn later(at: Millis, ms: u64) -> Millis {
    at.saturating_add(Millis::try_from(ms).unwrap_or(Millis::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: WorkspaceRest =
        WorkspaceRest { freeze_after_ms: 10, freeze_open_after_ms: 100, stop_after_ms: 1_000, jobs_most_ms: 500 };

    fn signals(input_at: Millis) -> Signals {
        Signals { input_at, ..Signals::default() }
    }

    #[test]
    fn each_signal_counts_as_far_as_it_should() {
        let open = Signals { connections: 1, ..signals(1_000) };
        let left = Signals { left_at: 1_200, ..signals(1_000) };
        let job = |at| Signals { job_at: Some(at), ..signals(1_000) };
        let rows = [
            ("nobody is there", signals(1_000), 1_010, Why::Quiet),
            ("a tab is open", open, 1_100, Why::OpenButQuiet),
            ("the last tab was closed later", left, 1_210, Why::Quiet),
            ("a job runs", job(1_300), 1_310, Why::JobEnded),
            ("a job ran before the last input", job(900), 1_010, Why::Quiet),
            ("a job runs for too long", job(1_495), 1_500, Why::JobsLimit),
            ("a job runs for ever", job(9_000), 1_500, Why::JobsLimit),
            ("a job ended while a tab is open", Signals { connections: 2, ..job(1_050) }, 1_100, Why::OpenButQuiet),
            ("a job outlasts the open tab", Signals { connections: 2, ..job(1_200) }, 1_210, Why::JobEnded),
            ("a quiet tab knocked", Signals { woken_at: 5_000, ..open }, 5_010, Why::Quiet),
            ("a quiet tab was answered", Signals { answered_at: Some(5_000), ..open }, 15_000, Why::OpenButQuiet),
            ("a tab has just said something", Signals { spoken_at: Some(1_099), ..open }, 4_099, Why::OpenButQuiet),
            ("a tab never falls silent", Signals { spoken_at: Some(90_000), ..open }, 61_100, Why::OpenButQuiet),
            ("it is kept", Signals { keep_until: Some(5_000), ..open }, 5_000, Why::Kept),
            ("it was kept long enough", Signals { keep_until: Some(1_050), ..open }, 1_100, Why::OpenButQuiet),
        ];
        for (what, signals, at, why) in rows {
            assert_eq!(next(&signals, &REST, true), Next { step: Step::Freeze, at, why }, "{what}");
        }
    }

    #[test]
    fn a_frozen_one_is_stopped_after_its_time_unless_it_is_kept() {
        let frozen = Signals { frozen_at: Some(2_000), ..signals(1_000) };
        assert_eq!(next(&frozen, &REST, true), Next { step: Step::Stop, at: 3_000, why: Why::FrozenForLong });
        let answered = Signals { resting_from: Some(1_500), ..frozen };
        assert_eq!(next(&answered, &REST, true).at, 2_500, "answering an open page does not put it off");
        let kept = Signals { keep_until: Some(9_000), ..frozen };
        assert_eq!(next(&kept, &REST, true), Next { step: Step::Stop, at: 9_000, why: Why::Kept });
    }

    #[test]
    fn where_nothing_can_be_frozen_it_is_stopped_after_both_times() {
        let open = Signals { connections: 1, ..signals(1_000) };
        assert_eq!(next(&open, &REST, false), Next { step: Step::Stop, at: 2_100, why: Why::OpenButQuiet });
    }

    #[test]
    fn times_beyond_all_clocks_do_not_wrap() {
        let rest = WorkspaceRest { freeze_after_ms: u64::MAX, ..REST };
        assert_eq!(next(&signals(Millis::MAX), &rest, true).at, Millis::MAX);
    }
}
