//! One app's running runtime: its place on the freeze ladder in one atomic word, its connection, its orders.
//!
//! Taking and giving back a place is a few atomic operations: no lock, no await, no task.

mod asked;
mod health;
mod supervise;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use darter_core::instance::{Action, Event, InstanceState, Ladder, Refused, Rest};
use darter_core::limits::AppLimits;
use darter_core::record::StartPhases;
use darter_sandbox::Sandbox;
use darter_wire::{Connection, Lease};
use tokio_util::sync::CancellationToken;

pub use health::{Beat, Health};

use asked::Versions;

use super::app::App;
use super::control::{Mouth, Order};
use super::slot::micros;

/// How long an order may take until the instance counts as broken.
pub const ORDER_DEADLINE: Duration = Duration::from_secs(10);

/// Why an instance was ended by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Quiet for long, stopped, replaced: nobody is to be told.
    Wanted,
    /// Its loop did not answer; said already.
    Stuck,
    /// It broke a protocol.
    Broken(&'static str),
}

/// A running runtime of one app.
pub struct Instance {
    pub id: String,
    pub app: Arc<App>,
    pub limits: Arc<AppLimits>,
    pub sandbox: Sandbox,
    pub connection: Connection,
    pub phases: StartPhases,
    pub born: Instant,
    rest: Rest,
    word: AtomicU64,
    /// Milliseconds after `born` of the last change of state.
    changed: AtomicU64,
    requests: AtomicU64,
    /// A freeze is being carried out.
    freezing: AtomicBool,
    mouth: Mouth,
    health: Mutex<Health>,
    ending: Mutex<Option<Ending>>,
    /// The functions it was ordered to have.
    versions: Mutex<Versions>,
    /// Cancelled when it has ended, its last lines are kept and it is in no list any more.
    pub gone: CancellationToken,
}

/// What an instance begins with.
pub struct Birth {
    pub id: String,
    pub app: Arc<App>,
    pub limits: Arc<AppLimits>,
    pub sandbox: Sandbox,
    pub connection: Connection,
    pub phases: StartPhases,
    pub mouth: Mouth,
    pub freezer: bool,
    pub versions: BTreeMap<String, u32>,
}

impl Instance {
    /// A starting instance.
    pub fn new(birth: Birth) -> Arc<Self> {
        Arc::new(Self {
            rest: Rest::of(&birth.limits, birth.freezer, false),
            id: birth.id,
            app: birth.app,
            limits: birth.limits,
            sandbox: birth.sandbox,
            connection: birth.connection,
            phases: birth.phases,
            born: Instant::now(),
            word: AtomicU64::new(pack(Ladder::START)),
            changed: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            freezing: AtomicBool::new(false),
            mouth: birth.mouth,
            health: Mutex::new(Health::default()),
            ending: Mutex::new(None),
            versions: Mutex::new(birth.versions),
            gone: CancellationToken::new(),
        })
    }

    /// Where it stands now.
    pub fn ladder(&self) -> Ladder {
        unpack(self.word.load(Ordering::Acquire))
    }

    /// When it falls asleep.
    pub fn rest(&self, keep: bool) -> Rest {
        Rest { keep, ..self.rest }
    }

    /// Since when it stands there, and how many requests it has had.
    pub fn history(&self) -> (Duration, u64) {
        (self.in_state(), self.requests.load(Ordering::Relaxed))
    }

    /// How long it has been in its state.
    pub fn in_state(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_millis(self.changed.load(Ordering::Acquire)))
    }

    /// Moves on the ladder; whoever calls carries the action out.
    pub fn apply(&self, event: Event, rest: &Rest) -> Result<Option<Action>, Refused> {
        let mut current = self.word.load(Ordering::Acquire);
        loop {
            let ladder = unpack(current);
            let (next, action) = ladder.apply(event, rest)?;
            match self.word.compare_exchange_weak(current, pack(next), Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => {
                    if next.state != ladder.state {
                        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
                        self.changed.store(now, Ordering::Release);
                    }
                    return Ok(action);
                }
                Err(other) => current = other,
            }
        }
    }

    /// A place for one request. `None`: full, or ending.
    pub fn lease(self: &Arc<Self>) -> Option<Lease> {
        let (place, start) = self.place()?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        Some(Lease { connection: self.connection.clone(), start, guard: Box::new(place) })
    }

    /// Keeps it awake, for an order. `None`: full (then it is awake), or ending.
    pub fn hold(self: &Arc<Self>) -> Option<Place> {
        self.place().map(|(place, _)| place)
    }

    fn place(self: &Arc<Self>) -> Option<(Place, Option<StartPhases>)> {
        let starting = self.ladder().state == InstanceState::Starting;
        let action = self.apply(Event::Began, &self.rest).ok()?;
        let guard = Place(Arc::clone(self));
        let start = match action {
            None if starting => Some(self.phases.clone()),
            Some(Action::Thaw) => Some(self.thaw()?),
            None | Some(Action::Freeze | Action::Drain | Action::Kill | Action::Bury) => None,
        };
        Some((guard, start))
    }

    /// One write. An instance that cannot be thawed is ended.
    fn thaw(self: &Arc<Self>) -> Option<StartPhases> {
        let started = Instant::now();
        if let Err(error) = self.sandbox.thaw() {
            tracing::warn!(instance = %self.id, %error, "an instance could not be thawed; it is replaced");
            self.kill(Ending::Wanted);
            return None;
        }
        Some(StartPhases { from: "frozen".into(), phases: vec![("thaw".into(), micros(started.elapsed()))] })
    }

    /// Freezes what the ladder says is frozen. Somebody may come while the processes come to rest: then they go on.
    pub fn freeze(self: &Arc<Self>) {
        if self.freezing.swap(true, Ordering::AcqRel) {
            return;
        }
        let instance = Arc::clone(self);
        tokio::spawn(async move {
            let frozen = instance.sandbox.freeze().await;
            instance.freezing.store(false, Ordering::Release);
            // Whoever took a place meanwhile has thawed before or while we froze; this thaw comes after both.
            if instance.ladder().state != InstanceState::Frozen && instance.sandbox.thaw().is_err() {
                instance.kill(Ending::Wanted);
            }
            if let Err(error) = frozen
                && instance.sandbox.ended().is_none()
            {
                tracing::debug!(instance = %instance.id, %error, "an instance did not come to rest");
            }
        });
    }

    /// Ends it now.
    pub fn kill(self: &Arc<Self>, why: Ending) {
        self.lock_ending().get_or_insert(why);
        // Refused only by a frozen one, which `Stop` ends.
        if self.apply(Event::Stuck, &self.rest).is_err() {
            let _ = self.apply(Event::Stop, &self.rest);
        }
        let instance = Arc::clone(self);
        tokio::spawn(async move { instance.sandbox.kill().await });
    }

    /// Lets it finish what it has, for at most `grace`, and waits until it is gone.
    pub async fn drain(self: &Arc<Self>, grace: Duration) {
        self.lock_ending().get_or_insert(Ending::Wanted);
        let drained = match self.apply(Event::Stop, &self.rest) {
            Ok(Some(Action::Drain)) => self.mouth.say(Order::Drain.line()),
            Ok(Some(Action::Kill)) | Err(_) => false,
            Ok(None | Some(Action::Thaw | Action::Freeze | Action::Bury)) => true,
        };
        if !drained || tokio::time::timeout(grace, self.sandbox.wait()).await.is_err() {
            self.sandbox.kill().await;
        }
        self.gone.cancelled().await;
    }

    /// Why it was ended by us, if it was.
    pub fn ending(&self) -> Option<Ending> {
        *self.lock_ending()
    }

    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The functions it was ordered to have, for whoever changes them.
    pub fn versions(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which functions it works for now (or did at its end), as a sentence; empty when there is none.
    pub fn in_flight_words(&self) -> String {
        asked::words(&self.connection.unanswered(), self.ladder().in_flight, &self.versions())
    }

    fn lock_ending(&self) -> MutexGuard<'_, Option<Ending>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an order. A runtime that does not take orders is ended.
    pub fn say(self: &Arc<Self>, line: String) {
        if !self.mouth.say(line) && self.sandbox.ended().is_none() {
            self.kill(Ending::Broken("did not take its orders"));
        }
    }

    /// Gives an order that the runtime does not confirm, and waits until it has been carried out.
    pub async fn order(self: &Arc<Self>, line: String) {
        let (seq, passed) = self.health().barrier();
        self.say(line);
        self.say(Order::Ping { seq }.line());
        self.awaited(passed).await;
    }

    /// Publishes a function, and waits until the runtime has it.
    pub async fn publish(self: &Arc<Self>, name: &str, version: u32, line: String) {
        self.versions().insert(name.to_owned(), version);
        let there = self.health().expect(name, version);
        self.say(line);
        self.awaited(there).await;
    }

    /// An instance that has not done as told in time is replaced: its successor starts with the new state.
    async fn awaited(self: &Arc<Self>, answer: tokio::sync::oneshot::Receiver<()>) {
        if tokio::time::timeout(ORDER_DEADLINE, answer).await.is_err() {
            self.kill(Ending::Broken("did not carry out an order within 10 s"));
        }
    }
}

/// A place in an instance; dropping it gives it back.
pub struct Place(pub Arc<Instance>);

impl Drop for Place {
    fn drop(&mut self) {
        // Refused only if places were given back twice, which this type makes impossible.
        let _ = self.0.apply(Event::Ended, &self.0.rest);
        self.0.app.place_is_free();
    }
}

const fn pack(ladder: Ladder) -> u64 {
    ((ladder.state as u64) << 32) | ladder.in_flight as u64
}

fn unpack(word: u64) -> Ladder {
    const STATES: [InstanceState; 5] = [
        InstanceState::Starting,
        InstanceState::Active,
        InstanceState::Idle,
        InstanceState::Frozen,
        InstanceState::Stopping,
    ];
    // Only `pack` writes the word, so the index is in range.
    Ladder { state: STATES[(word >> 32) as usize % STATES.len()], in_flight: word as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_ladder_is_unpacked_as_it_was() {
        use InstanceState::{Active, Frozen, Idle, Starting, Stopping};
        for state in [Starting, Active, Idle, Frozen, Stopping] {
            for in_flight in [0, 1, 4_000, u32::MAX] {
                let ladder = Ladder { state, in_flight };
                assert_eq!(unpack(pack(ladder)), ladder);
            }
        }
    }
}
