//! The freeze ladder of one instance, and the rule that places requests on instances.
//!
//! ```text
//!              Loaded (requests wait)
//!   Starting ────────────────────────► Active ◄─── Began ───┐
//!      │  └───── Loaded (none waits) ──► Idle ──────────────┤
//!      │                                ▲  │ Quiet          │ (thaws)
//!      │            the last one Ended ─┘  └───► Frozen ────┘
//!      │                                            │ Quiet
//!      └─── Stop, Stuck, Crashed ───► Stopping ◄────┘            (so do Active, Idle and Frozen)
//! ```
//! A stream that stays open (a WebSocket, server-sent events) is a request in flight for as long as it lasts. An
//! instance that its app wants kept (`instances_min`) may freeze and is never stopped for being quiet.
//! Pure: whoever drives it says how long the instance has been quiet; nothing here knows a clock.

use serde::{Deserialize, Serialize};

use crate::limits::AppLimits;

/// Where an instance stands on the freeze ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// The app's code is being loaded; requests that were given to it wait inside.
    Starting,
    /// At least one request is in flight.
    Active,
    /// Awake, nothing in flight.
    Idle,
    /// Every process rests; back in milliseconds.
    Frozen,
    /// Takes nothing new; ends when what it has is done.
    Stopping,
}

/// An instance's place on the ladder and what is in flight on it. Small enough to live in one atomic word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ladder {
    pub state: InstanceState,
    pub in_flight: u32,
}

/// What happens to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A request wants a place.
    Began,
    /// A request is over, however it ended.
    Ended,
    /// The app's code is loaded.
    Loaded,
    /// Nothing has changed for this many milliseconds.
    Quiet { ms: u64 },
    /// Its process has ended.
    Crashed,
    /// Its event loop does not answer.
    Stuck,
    /// Somebody wants it to end in peace.
    Stop,
}

/// What the driver has to do after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let the processes go on.
    Thaw,
    /// Stop the processes where they are.
    Freeze,
    /// Tell the runtime to finish what it has and end.
    Drain,
    /// End it now: nothing in it is wanted any more.
    Kill,
    /// The process is gone: forget the instance.
    Bury,
}

/// An event that an instance in this state does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an instance that is {state:?} does not take {event:?}")]
pub struct Refused {
    pub state: InstanceState,
    pub event: Event,
}

/// When an instance falls asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub freeze_after_ms: u64,
    pub stop_after_ms: u64,
    /// The machine can freeze. Otherwise an idle instance is stopped after both times together.
    pub freezer: bool,
    /// The app wants this instance kept.
    pub keep: bool,
    /// Requests at once.
    pub concurrency: u32,
}

impl Rest {
    /// As an app's owner has set it.
    pub fn of(limits: &AppLimits, freezer: bool, keep: bool) -> Self {
        Self {
            freeze_after_ms: limits.freeze_after_ms,
            stop_after_ms: limits.stop_after_ms,
            freezer,
            keep,
            concurrency: limits.concurrency,
        }
    }
}

type Step = (Ladder, Option<Action>);

impl Ladder {
    /// A new instance.
    pub const START: Self = Self { state: InstanceState::Starting, in_flight: 0 };

    /// The place after an event, and what to do.
    pub fn apply(self, event: Event, rest: &Rest) -> Result<Step, Refused> {
        use {Action as A, Event as E, InstanceState as S};
        let refused = Err(Refused { state: self.state, event });
        let to = |state, action| Ok((Self { state, ..self }, action));
        match (self.state, event) {
            (S::Starting | S::Active, E::Began) if self.in_flight >= rest.concurrency => refused,
            (S::Starting | S::Active, E::Began) => Ok((Self { in_flight: self.in_flight + 1, ..self }, None)),
            (S::Idle, E::Began) => Ok((Self { state: S::Active, in_flight: 1 }, None)),
            (S::Frozen, E::Began) => Ok((Self { state: S::Active, in_flight: 1 }, Some(A::Thaw))),
            (S::Stopping, E::Began) => refused,

            (S::Starting | S::Active | S::Stopping, E::Ended) if self.in_flight > 0 => Ok(self.ended()),
            (S::Starting | S::Active | S::Idle | S::Frozen | S::Stopping, E::Ended) => refused,

            (S::Starting, E::Loaded) => to(if self.in_flight > 0 { S::Active } else { S::Idle }, None),
            (S::Active | S::Idle | S::Frozen, E::Loaded) => refused,
            (S::Stopping, E::Loaded) => to(S::Stopping, None),

            (S::Idle, E::Quiet { ms }) => Ok(self.idle_for(ms, rest)),
            (S::Frozen, E::Quiet { ms }) if ms >= rest.stop_after_ms && !rest.keep => to(S::Stopping, Some(A::Kill)),
            (S::Starting | S::Active | S::Frozen | S::Stopping, E::Quiet { .. }) => Ok((self, None)),

            (S::Starting | S::Active | S::Idle | S::Frozen | S::Stopping, E::Crashed) => to(S::Stopping, Some(A::Bury)),
            (S::Starting | S::Active | S::Idle | S::Stopping, E::Stuck) => to(S::Stopping, Some(A::Kill)),
            (S::Frozen, E::Stuck) => refused,

            (S::Starting | S::Active | S::Idle, E::Stop) => to(S::Stopping, Some(A::Drain)),
            (S::Frozen, E::Stop) => to(S::Stopping, Some(A::Kill)),
            (S::Stopping, E::Stop) => to(S::Stopping, None),
        }
    }

    fn ended(self) -> Step {
        let in_flight = self.in_flight - 1;
        let state = match self.state {
            InstanceState::Active if in_flight == 0 => InstanceState::Idle,
            state => state,
        };
        (Self { state, in_flight }, None)
    }

    fn idle_for(self, ms: u64, rest: &Rest) -> Step {
        if rest.freezer {
            let asleep = ms >= rest.freeze_after_ms;
            return if asleep {
                (Self { state: InstanceState::Frozen, ..self }, Some(Action::Freeze))
            } else {
                (self, None)
            };
        }
        if ms >= rest.freeze_after_ms.saturating_add(rest.stop_after_ms) && !rest.keep {
            return (Self { state: InstanceState::Stopping, ..self }, Some(Action::Drain));
        }
        (self, None)
    }

    /// What happens next when nobody comes, and after how many quiet milliseconds in this state.
    pub fn next(self, rest: &Rest) -> Option<(InstanceState, u64)> {
        match self.state {
            InstanceState::Idle if rest.freezer => Some((InstanceState::Frozen, rest.freeze_after_ms)),
            InstanceState::Idle if !rest.keep => {
                Some((InstanceState::Stopping, rest.freeze_after_ms.saturating_add(rest.stop_after_ms)))
            }
            InstanceState::Frozen if !rest.keep => Some((InstanceState::Stopping, rest.stop_after_ms)),
            InstanceState::Starting
            | InstanceState::Active
            | InstanceState::Idle
            | InstanceState::Frozen
            | InstanceState::Stopping => None,
        }
    }
}

/// What an app has when a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Instances being made, not yet in the list.
    pub starting: u32,
    /// Requests that wait already, this one not counted.
    pub waiting: u32,
    pub instances_max: u32,
    pub concurrency: u32,
    pub queue: u32,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// To the instance with this index.
    Use(usize),
    /// Start one more, and wait for it.
    Start,
    /// Wait for a place.
    Queue,
    /// Too much waits already.
    Reject,
}

/// Places a request: the least busy instance that is awake, else one that sleeps, else one more, else the queue.
/// Equals go to the first, so that with little traffic the others fall asleep.
pub fn place(instances: &[Ladder], demand: Demand) -> Placement {
    let free = |ladder: &Ladder| ladder.state != InstanceState::Stopping && ladder.in_flight < demand.concurrency;
    let asleep = |ladder: &Ladder| ladder.state == InstanceState::Frozen;
    let candidates = instances.iter().enumerate().filter(|(_, ladder)| free(ladder));
    if let Some((index, _)) = candidates.min_by_key(|(index, ladder)| (asleep(ladder), ladder.in_flight, *index)) {
        return Placement::Use(index);
    }
    let live = instances.iter().filter(|ladder| ladder.state != InstanceState::Stopping).count();
    let all = u32::try_from(live).unwrap_or(u32::MAX).saturating_add(demand.starting);
    // What is being started will take this many of those who wait.
    let coming = demand.starting.saturating_mul(demand.concurrency);
    if all < demand.instances_max && coming <= demand.waiting {
        return Placement::Start;
    }
    // Those whom a starting instance will take do not count against the queue.
    if demand.waiting < demand.queue.saturating_add(coming) { Placement::Queue } else { Placement::Reject }
}

#[cfg(test)]
mod tests {
    use super::*;
    use {Action as A, Event as E, InstanceState as S};

    const REST: Rest = Rest { freeze_after_ms: 10, stop_after_ms: 100, freezer: true, keep: false, concurrency: 2 };

    fn at(state: S, in_flight: u32) -> Ladder {
        Ladder { state, in_flight }
    }

    #[test]
    fn every_state_answers_every_event() {
        let to = |state, in_flight, action| Some((at(state, in_flight), action));
        let quiet = |ms| E::Quiet { ms };
        #[rustfmt::skip]
        let rows = [
            (at(S::Starting, 0), E::Began, to(S::Starting, 1, None)),
            (at(S::Starting, 2), E::Began, None),
            (at(S::Starting, 1), E::Ended, to(S::Starting, 0, None)),
            (at(S::Starting, 0), E::Ended, None),
            (at(S::Starting, 0), E::Loaded, to(S::Idle, 0, None)),
            (at(S::Starting, 1), E::Loaded, to(S::Active, 1, None)),
            (at(S::Starting, 0), quiet(9_999), to(S::Starting, 0, None)),
            (at(S::Starting, 1), E::Crashed, to(S::Stopping, 1, Some(A::Bury))),
            (at(S::Starting, 1), E::Stuck, to(S::Stopping, 1, Some(A::Kill))),
            (at(S::Starting, 1), E::Stop, to(S::Stopping, 1, Some(A::Drain))),
            (at(S::Active, 1), E::Began, to(S::Active, 2, None)),
            (at(S::Active, 2), E::Began, None),
            (at(S::Active, 2), E::Ended, to(S::Active, 1, None)),
            (at(S::Active, 1), E::Ended, to(S::Idle, 0, None)),
            (at(S::Active, 1), E::Loaded, None),
            (at(S::Active, 1), quiet(9_999), to(S::Active, 1, None)),
            (at(S::Active, 1), E::Crashed, to(S::Stopping, 1, Some(A::Bury))),
            (at(S::Active, 1), E::Stuck, to(S::Stopping, 1, Some(A::Kill))),
            (at(S::Active, 1), E::Stop, to(S::Stopping, 1, Some(A::Drain))),
            (at(S::Idle, 0), E::Began, to(S::Active, 1, None)),
            (at(S::Idle, 0), E::Ended, None),
            (at(S::Idle, 0), E::Loaded, None),
            (at(S::Idle, 0), quiet(9), to(S::Idle, 0, None)),
            (at(S::Idle, 0), quiet(10), to(S::Frozen, 0, Some(A::Freeze))),
            (at(S::Idle, 0), E::Crashed, to(S::Stopping, 0, Some(A::Bury))),
            (at(S::Idle, 0), E::Stuck, to(S::Stopping, 0, Some(A::Kill))),
            (at(S::Idle, 0), E::Stop, to(S::Stopping, 0, Some(A::Drain))),
            (at(S::Frozen, 0), E::Began, to(S::Active, 1, Some(A::Thaw))),
            (at(S::Frozen, 0), E::Ended, None),
            (at(S::Frozen, 0), E::Loaded, None),
            (at(S::Frozen, 0), quiet(99), to(S::Frozen, 0, None)),
            (at(S::Frozen, 0), quiet(100), to(S::Stopping, 0, Some(A::Kill))),
            (at(S::Frozen, 0), E::Crashed, to(S::Stopping, 0, Some(A::Bury))),
            (at(S::Frozen, 0), E::Stuck, None),
            (at(S::Frozen, 0), E::Stop, to(S::Stopping, 0, Some(A::Kill))),
            (at(S::Stopping, 1), E::Began, None),
            (at(S::Stopping, 1), E::Ended, to(S::Stopping, 0, None)),
            (at(S::Stopping, 0), E::Ended, None),
            (at(S::Stopping, 0), E::Loaded, to(S::Stopping, 0, None)),
            (at(S::Stopping, 0), quiet(9_999), to(S::Stopping, 0, None)),
            (at(S::Stopping, 1), E::Crashed, to(S::Stopping, 1, Some(A::Bury))),
            (at(S::Stopping, 1), E::Stuck, to(S::Stopping, 1, Some(A::Kill))),
            (at(S::Stopping, 1), E::Stop, to(S::Stopping, 1, None)),
        ];
        for (ladder, event, expected) in rows {
            assert_eq!(ladder.apply(event, &REST).ok(), expected, "{ladder:?} {event:?}");
        }
        for state in [S::Starting, S::Active, S::Idle, S::Frozen, S::Stopping] {
            for event in [E::Began, E::Ended, E::Loaded, E::Crashed, E::Stuck, E::Stop] {
                assert!(
                    rows.iter().any(|(ladder, one, _)| ladder.state == state && *one == event),
                    "{state:?} {event:?}"
                );
            }
            assert!(rows.iter().any(|(ladder, one, _)| ladder.state == state && matches!(one, E::Quiet { .. })));
        }
    }

    #[test]
    fn a_kept_instance_freezes_and_is_never_stopped_for_being_quiet() {
        let kept = Rest { keep: true, ..REST };
        assert_eq!(at(S::Idle, 0).apply(E::Quiet { ms: 1 << 40 }, &kept), Ok((at(S::Frozen, 0), Some(A::Freeze))));
        assert_eq!(at(S::Frozen, 0).apply(E::Quiet { ms: 1 << 40 }, &kept), Ok((at(S::Frozen, 0), None)));
        assert_eq!(at(S::Frozen, 0).next(&kept), None);
    }

    #[test]
    fn without_a_freezer_an_idle_instance_is_stopped_after_both_times() {
        let rest = Rest { freezer: false, ..REST };
        assert_eq!(at(S::Idle, 0).apply(E::Quiet { ms: 109 }, &rest), Ok((at(S::Idle, 0), None)));
        assert_eq!(at(S::Idle, 0).apply(E::Quiet { ms: 110 }, &rest), Ok((at(S::Stopping, 0), Some(A::Drain))));
        let kept = Rest { keep: true, ..rest };
        assert_eq!(at(S::Idle, 0).apply(E::Quiet { ms: 1 << 40 }, &kept), Ok((at(S::Idle, 0), None)));
    }

    #[test]
    fn what_is_announced_as_next_is_what_a_quiet_time_brings() {
        for rest in [REST, Rest { keep: true, ..REST }, Rest { freezer: false, ..REST }] {
            for state in [S::Starting, S::Idle, S::Frozen, S::Stopping] {
                let ladder = at(state, 0);
                let after = |ms| ladder.apply(E::Quiet { ms }, &rest).unwrap().0.state;
                match ladder.next(&rest) {
                    Some((next, ms)) => assert_eq!((after(ms - 1), after(ms)), (state, next)),
                    None => assert_eq!(after(1 << 50), state),
                }
            }
        }
    }

    #[test]
    fn a_request_goes_where_there_is_room_and_only_then_is_one_more_started() {
        let demand = Demand { starting: 0, waiting: 0, instances_max: 2, concurrency: 2, queue: 1 };
        let rows = [
            (vec![], demand, Placement::Start),
            (vec![at(S::Active, 1)], demand, Placement::Use(0)),
            (vec![at(S::Active, 1), at(S::Idle, 0)], demand, Placement::Use(1)),
            (vec![at(S::Frozen, 0), at(S::Active, 1)], demand, Placement::Use(1)),
            (vec![at(S::Frozen, 0), at(S::Active, 2)], demand, Placement::Use(0)),
            (vec![at(S::Idle, 0), at(S::Idle, 0)], demand, Placement::Use(0)),
            (vec![at(S::Active, 2)], demand, Placement::Start),
            (vec![at(S::Active, 2), at(S::Active, 2)], demand, Placement::Queue),
            (vec![at(S::Active, 2), at(S::Active, 2)], Demand { waiting: 1, ..demand }, Placement::Reject),
            (vec![at(S::Stopping, 0)], demand, Placement::Start),
            (vec![], Demand { starting: 1, waiting: 1, ..demand }, Placement::Queue),
            (vec![], Demand { starting: 1, waiting: 2, ..demand }, Placement::Start),
            (vec![], Demand { starting: 2, waiting: 4, ..demand }, Placement::Queue),
            (vec![], Demand { starting: 2, waiting: 5, ..demand }, Placement::Reject),
            (vec![at(S::Active, 2)], Demand { queue: 0, instances_max: 1, ..demand }, Placement::Reject),
        ];
        for (instances, demand, expected) in rows {
            assert_eq!(place(&instances, demand), expected, "{instances:?} {demand:?}");
        }
    }
}
