//! What a workspace does, as the engine sees it: the machine that its supervisor drives.
//!
//! ```text
//!            Wanted               Placed                 Ready                       Freeze            Reclaim
//!  stopped ─────────► queued ─────────────► starting ─────────────► running ◄───────────────► frozen ─────────► reclaimed
//!    ▲ ▲                ▲ │ Stop, Declined    │ Crashed, Late        │ │  ▲     Wanted (thaws)   │                  │
//!    │ └────────────────┼─┴───────────────────┤                      │ │  └──────────────────────┴──── Wanted ──────┘
//!    │        PauseOver │                     ▼                      │ │
//!    │                  └────────────────── pausing ◄────────────────┘ │ Crashed (somebody is there)
//!    │                                        │ the fourth time        │
//!    │                                        ▼                        │ Stop (also from frozen, reclaimed, starting)
//!    │ ◄──────────── Stop ───────────────── failed ── Wanted ─► queued ▼
//!    └────────────────────────────────── Gone ────────────────────── stopping
//! ```
//! The wish of its owner ([`Desired`]) is stored apart. After the server was killed everything is stopped, for sandboxes
//! die with it; a browser that is still open knocks again and wakes its own. Pure: knows no clock and no process.

use serde::{Deserialize, Serialize};

use super::Desired;

/// Starts in a row that may fail before somebody has to ask again.
pub const MOST_CRASHES: u32 = 3;
/// One that ran for so long was well: an end after it is the first of a new row.
pub const HEALTHY_MS: u64 = 600_000;
/// Pauses before the next attempt: after the first crash, the second, the third.
const PAUSES_MS: [u64; MOST_CRASHES as usize] = [500, 2_000, 8_000];

/// Where a workspace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Only its files are there.
    Stopped,
    /// Others start first.
    Queued,
    /// Its sandbox is being made, or its attendant (and in full depth its editor) does not answer yet.
    Starting,
    /// It ended unexpectedly; it is started again in a moment.
    Pausing,
    Running,
    /// Every process rests where it is; back in milliseconds.
    Frozen,
    /// Frozen, and its memory pushed out.
    Reclaimed,
    /// It is being ended in order.
    Stopping,
    /// It ended too often, or cannot be started: the trouble says why. Opening it tries again.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Stopped,
        Self::Queued,
        Self::Starting,
        Self::Pausing,
        Self::Running,
        Self::Frozen,
        Self::Reclaimed,
        Self::Stopping,
        Self::Failed,
    ];

    /// A sandbox of it exists, or is being made.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Frozen | Self::Reclaimed | Self::Stopping)
    }
}

/// What happens to a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody knocks, or presses start.
    Wanted,
    /// Its turn has come.
    Placed,
    /// It cannot be started now and nothing was made: not installed, the queue is full, deleted meanwhile.
    Declined,
    /// It answers at its depth.
    Ready,
    /// It does not answer in time.
    Late,
    /// Its sandbox ended without being told to. `wanted`: somebody is connected, or it is to be kept.
    Crashed {
        ran_ms: u64,
        wanted: bool,
    },
    PauseOver,
    /// It has been quiet for long.
    Freeze,
    /// It has been frozen for a while.
    Reclaim,
    /// It is to end: its owner wants it, or it has been frozen for long.
    Stop,
    /// Nothing of it runs any more, as it should be.
    Gone,
}

/// What the supervisor has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Ask for a place among the starts.
    Enqueue,
    /// Give the place back.
    Dequeue,
    /// Claim or build a sandbox and start what belongs in it.
    Build,
    Freeze,
    Thaw,
    Reclaim,
    /// End it in order, thawing it first when it is frozen.
    End,
    /// End it now, then try again after so many milliseconds.
    Retry {
        pause_ms: u64,
    },
    /// End it now. Why, is the trouble.
    GiveUp,
    /// Forget what ran.
    Bury,
}

/// An event that a workspace in this state does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a workspace that is {state:?} does not take {event:?}")]
pub struct Refused {
    pub state: State,
    pub event: Event,
}

/// The state, and how often in a row it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Life {
    pub state: State,
    pub crashes: u32,
}

type Step = Result<(Life, Option<Action>), Refused>;

impl Life {
    /// What every workspace is when the server starts.
    pub const STOPPED: Self = Self { state: State::Stopped, crashes: 0 };

    /// The life after an event, and what to do.
    pub fn apply(self, event: Event) -> Step {
        use {Action as A, Event as E, State as S};
        let to = |state, action| Ok((Self { state, ..self }, action));
        let anew = |state, action| Ok((Self { state, crashes: 0 }, action));
        let same = Ok((self, None));
        let refused = Err(Refused { state: self.state, event });
        match (self.state, event) {
            (S::Stopped | S::Failed, E::Wanted) => anew(S::Queued, Some(A::Enqueue)),
            (S::Queued | S::Starting | S::Pausing | S::Running, E::Wanted) => same,
            (S::Frozen | S::Reclaimed, E::Wanted) => to(S::Running, Some(A::Thaw)),
            (S::Stopping, E::Wanted) => refused,

            (S::Queued, E::Placed) => to(S::Starting, Some(A::Build)),
            (
                S::Stopped | S::Starting | S::Pausing | S::Running | S::Frozen | S::Reclaimed | S::Stopping | S::Failed,
                E::Placed,
            ) => refused,

            (S::Queued, E::Declined) => to(S::Stopped, Some(A::Dequeue)),
            (S::Starting, E::Declined) => to(S::Stopped, Some(A::Bury)),
            (
                S::Stopped | S::Pausing | S::Running | S::Frozen | S::Reclaimed | S::Stopping | S::Failed,
                E::Declined,
            ) => refused,

            (S::Starting, E::Ready) => to(S::Running, None),
            (
                S::Stopped | S::Queued | S::Pausing | S::Running | S::Frozen | S::Reclaimed | S::Stopping | S::Failed,
                E::Ready,
            ) => refused,

            (S::Starting, E::Late) => self.crashed(true),
            (
                S::Stopped | S::Queued | S::Pausing | S::Running | S::Frozen | S::Reclaimed | S::Stopping | S::Failed,
                E::Late,
            ) => refused,

            (S::Starting, E::Crashed { .. }) => self.crashed(true),
            (S::Running | S::Frozen | S::Reclaimed, E::Crashed { ran_ms, wanted }) => {
                let crashes = if ran_ms >= HEALTHY_MS { 0 } else { self.crashes };
                Self { crashes, ..self }.crashed(wanted)
            }
            (S::Stopping, E::Crashed { .. }) => anew(S::Stopped, Some(A::Bury)),
            (S::Stopped | S::Queued | S::Pausing | S::Failed, E::Crashed { .. }) => refused,

            (S::Pausing, E::PauseOver) => to(S::Queued, Some(A::Enqueue)),
            (
                S::Stopped | S::Queued | S::Starting | S::Running | S::Frozen | S::Reclaimed | S::Stopping | S::Failed,
                E::PauseOver,
            ) => refused,

            (S::Running, E::Freeze) => to(S::Frozen, Some(A::Freeze)),
            (S::Frozen | S::Reclaimed, E::Freeze) => same,
            (S::Stopped | S::Queued | S::Starting | S::Pausing | S::Stopping | S::Failed, E::Freeze) => refused,

            (S::Frozen, E::Reclaim) => to(S::Reclaimed, Some(A::Reclaim)),
            (S::Reclaimed, E::Reclaim) => same,
            (S::Stopped | S::Queued | S::Starting | S::Pausing | S::Running | S::Stopping | S::Failed, E::Reclaim) => {
                refused
            }

            (S::Stopped | S::Stopping, E::Stop) => same,
            (S::Failed | S::Pausing, E::Stop) => anew(S::Stopped, Some(A::Bury)),
            (S::Queued, E::Stop) => anew(S::Stopped, Some(A::Dequeue)),
            (S::Starting | S::Running | S::Frozen | S::Reclaimed, E::Stop) => anew(S::Stopping, Some(A::End)),

            (S::Stopping, E::Gone) => anew(S::Stopped, Some(A::Bury)),
            (
                S::Stopped | S::Queued | S::Starting | S::Pausing | S::Running | S::Frozen | S::Reclaimed | S::Failed,
                E::Gone,
            ) => refused,
        }
    }

    fn crashed(self, wanted: bool) -> Step {
        let crashes = self.crashes + 1;
        let after = |state, action| Ok((Self { state, crashes }, Some(action)));
        match PAUSES_MS.get(self.crashes as usize) {
            None => after(State::Failed, Action::GiveUp),
            Some(_) if !wanted => after(State::Stopped, Action::Bury),
            Some(pause_ms) => after(State::Pausing, Action::Retry { pause_ms: *pause_ms }),
        }
    }
}

/// What a person may do with a workspace; whether they have the right to is decided elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    Open,
    Start,
    Stop,
    Restart,
    Keep,
}

impl Deed {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Open, Self::Start, Self::Stop, Self::Restart, Self::Keep];

    /// May it be done now? The error is a key of the message catalogue: `recycled`, `awake`, `asleep`, `stopping`.
    pub fn allowed(self, desired: Desired, state: State) -> Result<(), &'static str> {
        use State as S;
        if desired == Desired::Recycled {
            return Err("recycled");
        }
        match (self, state) {
            (Self::Open | Self::Start, S::Stopping) => Err("stopping"),
            (Self::Open, _) => Ok(()),
            (Self::Start, S::Stopped | S::Failed) => Ok(()),
            (Self::Start, _) => Err("awake"),
            (Self::Stop | Self::Restart | Self::Keep, S::Stopped | S::Failed) => Err("asleep"),
            (Self::Restart | Self::Keep, S::Stopping) => Err("stopping"),
            (Self::Stop | Self::Restart | Self::Keep, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use {Action as A, Event as E, State as S};

    const EVENTS: [Event; 12] = [
        E::Wanted,
        E::Placed,
        E::Declined,
        E::Ready,
        E::Late,
        E::Crashed { ran_ms: 0, wanted: true },
        E::Crashed { ran_ms: 0, wanted: false },
        E::PauseOver,
        E::Freeze,
        E::Reclaim,
        E::Stop,
        E::Gone,
    ];

    const CRASH: Event = E::Crashed { ran_ms: 0, wanted: true };
    const ALONE: Event = E::Crashed { ran_ms: 0, wanted: false };
    const RETRY: Action = A::Retry { pause_ms: 500 };

    /// Every pair that is taken; all others are refused.
    const TAKEN: &[(State, Event, State, Option<Action>)] = &[
        (S::Stopped, E::Wanted, S::Queued, Some(A::Enqueue)),
        (S::Stopped, E::Stop, S::Stopped, None),
        (S::Queued, E::Wanted, S::Queued, None),
        (S::Queued, E::Placed, S::Starting, Some(A::Build)),
        (S::Queued, E::Declined, S::Stopped, Some(A::Dequeue)),
        (S::Queued, E::Stop, S::Stopped, Some(A::Dequeue)),
        (S::Starting, E::Wanted, S::Starting, None),
        (S::Starting, E::Declined, S::Stopped, Some(A::Bury)),
        (S::Starting, E::Ready, S::Running, None),
        (S::Starting, E::Late, S::Pausing, Some(RETRY)),
        (S::Starting, CRASH, S::Pausing, Some(RETRY)),
        (S::Starting, ALONE, S::Pausing, Some(RETRY)),
        (S::Starting, E::Stop, S::Stopping, Some(A::End)),
        (S::Pausing, E::Wanted, S::Pausing, None),
        (S::Pausing, E::PauseOver, S::Queued, Some(A::Enqueue)),
        (S::Pausing, E::Stop, S::Stopped, Some(A::Bury)),
        (S::Running, E::Wanted, S::Running, None),
        (S::Running, CRASH, S::Pausing, Some(RETRY)),
        (S::Running, ALONE, S::Stopped, Some(A::Bury)),
        (S::Running, E::Freeze, S::Frozen, Some(A::Freeze)),
        (S::Running, E::Stop, S::Stopping, Some(A::End)),
        (S::Frozen, E::Wanted, S::Running, Some(A::Thaw)),
        (S::Frozen, CRASH, S::Pausing, Some(RETRY)),
        (S::Frozen, ALONE, S::Stopped, Some(A::Bury)),
        (S::Frozen, E::Freeze, S::Frozen, None),
        (S::Frozen, E::Reclaim, S::Reclaimed, Some(A::Reclaim)),
        (S::Frozen, E::Stop, S::Stopping, Some(A::End)),
        (S::Reclaimed, E::Wanted, S::Running, Some(A::Thaw)),
        (S::Reclaimed, CRASH, S::Pausing, Some(RETRY)),
        (S::Reclaimed, ALONE, S::Stopped, Some(A::Bury)),
        (S::Reclaimed, E::Freeze, S::Reclaimed, None),
        (S::Reclaimed, E::Reclaim, S::Reclaimed, None),
        (S::Reclaimed, E::Stop, S::Stopping, Some(A::End)),
        (S::Stopping, CRASH, S::Stopped, Some(A::Bury)),
        (S::Stopping, ALONE, S::Stopped, Some(A::Bury)),
        (S::Stopping, E::Stop, S::Stopping, None),
        (S::Stopping, E::Gone, S::Stopped, Some(A::Bury)),
        (S::Failed, E::Wanted, S::Queued, Some(A::Enqueue)),
        (S::Failed, E::Stop, S::Stopped, Some(A::Bury)),
    ];

    #[test]
    fn every_state_answers_every_event() {
        for state in S::ALL {
            for event in EVENTS {
                let expected = TAKEN.iter().find(|(from, with, ..)| (*from, *with) == (state, event));
                let found = Life { state, crashes: 0 }.apply(event).map(|(life, action)| (life.state, action));
                let expected = expected.map(|(_, _, to, action)| (*to, *action)).ok_or(Refused { state, event });
                assert_eq!(found, expected, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn the_fourth_crash_in_a_row_is_the_last_and_opening_begins_anew() {
        let mut life = Life { state: S::Starting, crashes: 0 };
        let mut pauses = Vec::new();
        loop {
            let (after, action) = life.apply(E::Late).unwrap();
            match action {
                Some(A::Retry { pause_ms }) => pauses.push(pause_ms),
                other => {
                    assert_eq!((after.state, other), (S::Failed, Some(A::GiveUp)));
                    assert_eq!(after.apply(E::Wanted).unwrap().0, Life { state: S::Queued, crashes: 0 });
                    break;
                }
            }
            life = after.apply(E::PauseOver).unwrap().0.apply(E::Placed).unwrap().0;
        }
        assert_eq!(pauses, PAUSES_MS);
    }

    #[test]
    fn a_crash_after_a_long_healthy_life_is_the_first_again() {
        let tired = Life { state: S::Running, crashes: MOST_CRASHES };
        let crash = |ran_ms| tired.apply(E::Crashed { ran_ms, wanted: true }).unwrap().0;
        assert_eq!(crash(HEALTHY_MS - 1).state, S::Failed);
        assert_eq!(crash(HEALTHY_MS), Life { state: S::Pausing, crashes: 1 });
    }

    #[test]
    fn crashes_are_remembered_over_a_restart_and_forgotten_by_a_stop() {
        let running = Life { state: S::Starting, crashes: 2 }.apply(E::Ready).unwrap().0;
        assert_eq!(running, Life { state: S::Running, crashes: 2 });
        assert_eq!(running.apply(E::Stop).unwrap().0.crashes, 0);
    }

    #[test]
    fn what_may_be_done_is_said_with_the_reason_why_not() {
        for state in S::ALL {
            for deed in Deed::ALL {
                assert_eq!(deed.allowed(Desired::Recycled, state), Err("recycled"));
            }
            assert_eq!(Deed::Open.allowed(Desired::Asleep, state).is_ok(), state != S::Stopping, "{state:?}");
        }
        let rows = [
            (Deed::Start, S::Stopped, Ok(())),
            (Deed::Start, S::Failed, Ok(())),
            (Deed::Start, S::Frozen, Err("awake")),
            (Deed::Stop, S::Queued, Ok(())),
            (Deed::Stop, S::Stopping, Ok(())),
            (Deed::Stop, S::Stopped, Err("asleep")),
            (Deed::Restart, S::Running, Ok(())),
            (Deed::Restart, S::Stopping, Err("stopping")),
            (Deed::Keep, S::Frozen, Ok(())),
            (Deed::Keep, S::Failed, Err("asleep")),
        ];
        for (deed, state, expected) in rows {
            assert_eq!(deed.allowed(Desired::Awake, state), expected, "{deed:?} {state:?}");
        }
    }
}
