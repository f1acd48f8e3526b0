//! What the engine holds for an app while it runs or somebody waits for it. Nothing is held for an app at rest.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use darter_core::instance::{Demand, InstanceState, Ladder, Placement, place};
use darter_core::limits::AppLimits;
use darter_core::{AppId, Fault, Kind};
use darter_wire::Lease;
use tokio::sync::Notify;

use super::instance::Instance;

/// Crashes in a row that are forgiven at once.
const FORGIVEN: u32 = 2;
/// First pause after them; doubles up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// An app that runs, starts, or is waited for.
pub struct App {
    pub id: AppId,
    /// Replaced as a whole, so that a hot request reads it without a lock.
    instances: ArcSwap<Vec<Arc<Instance>>>,
    waiting: AtomicU32,
    room: Notify,
    state: Mutex<State>,
}

/// What changes seldom.
#[derive(Default)]
pub struct State {
    /// Of the newest bundle. `None`: never started, or stopped.
    pub limits: Option<Arc<AppLimits>>,
    pub starting: u32,
    /// Counts stops: a start that began before one is not wanted any more.
    pub generation: u64,
    /// The last start that failed, and its number.
    pub failure: Option<(u64, Fault)>,
    pub attempts: u64,
    crashes: u32,
    not_before: Option<Instant>,
    /// Crashes are remembered until then, although nothing runs.
    remember_until: Option<Instant>,
    /// Orders given while an instance was being started from an older bundle.
    pub journal: Vec<String>,
    /// Taken out of the engine's list: look it up again.
    pub retired: bool,
}

/// What a request without a place has to do.
pub enum Next {
    Lease(Lease),
    /// Start one more instance (counted already), then wait.
    Start,
    Wait,
    Fail(Fault),
    /// This entry is out of the list.
    Retired,
}

impl App {
    pub fn new(id: AppId) -> Arc<Self> {
        Arc::new(Self {
            id,
            instances: ArcSwap::from_pointee(Vec::new()),
            waiting: AtomicU32::new(0),
            room: Notify::new(),
            state: Mutex::new(State::default()),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn instances(&self) -> Arc<Vec<Arc<Instance>>> {
        self.instances.load_full()
    }

    /// The hot path: a place in an instance that is there.
    pub fn try_lease(&self) -> Option<Lease> {
        let instances = self.instances.load();
        if let [only] = instances.as_slice() {
            return only.lease();
        }
        let mut ladders = [Ladder { state: InstanceState::Stopping, in_flight: 0 }; 32];
        let count = instances.len().min(ladders.len());
        for (ladder, instance) in ladders.iter_mut().zip(instances.iter()) {
            *ladder = instance.ladder();
        }
        let concurrency = instances.first()?.limits.concurrency;
        let demand = Demand { starting: 0, waiting: 0, instances_max: 0, concurrency, queue: 0 };
        match place(&ladders[..count], demand) {
            Placement::Use(index) => instances.get(index)?.lease(),
            Placement::Start | Placement::Queue | Placement::Reject => None,
        }
    }

    /// Decides for a request that found no place. `queued`: it has waited already and keeps its turn; whoever is to wait
    /// is counted here, under the lock, so that the app is not forgotten meanwhile.
    pub fn next(self: &Arc<Self>, queued: &mut Option<Waiting>, since: u64) -> Next {
        let mut state = self.state();
        if state.retired {
            return Next::Retired;
        }
        if let Some(lease) = self.try_lease() {
            return Next::Lease(lease);
        }
        if let Some((number, fault)) = &state.failure
            && *number > since
            && state.starting == 0
        {
            return Next::Fail(fault.clone());
        }
        let limits = state.limits.clone().unwrap_or_default();
        let ladders: Vec<Ladder> = self.instances.load().iter().map(|instance| instance.ladder()).collect();
        let others = self.waiting.load(Ordering::Relaxed) - u32::from(queued.is_some());
        let demand = Demand {
            starting: state.starting,
            waiting: others,
            instances_max: limits.instances_max.max(1),
            concurrency: limits.concurrency,
            queue: limits.queue,
        };
        match place(&ladders, demand) {
            Placement::Start => match state.pause() {
                Some(pause) => Next::Fail(crashing(pause)),
                None => {
                    state.starting += 1;
                    queued.get_or_insert_with(|| self.wait());
                    Next::Start
                }
            },
            Placement::Reject if queued.is_none() => Next::Fail(overloaded(&limits)),
            Placement::Queue | Placement::Reject | Placement::Use(_) => {
                queued.get_or_insert_with(|| self.wait());
                Next::Wait
            }
        }
    }

    /// Resolves when a place may be free. Call before looking, await after.
    pub fn room(&self) -> tokio::sync::futures::Notified<'_> {
        self.room.notified()
    }

    /// Counts somebody who waits, until dropped.
    fn wait(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(Arc::clone(self))
    }

    /// A place was given back.
    pub fn place_is_free(&self) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.room.notify_one();
        }
    }

    /// Something changed for all who wait.
    pub fn wake_all(&self) {
        self.room.notify_waiters();
    }

    /// Puts a new instance into the list and gives it the orders that were given meanwhile.
    pub fn add(&self, state: &mut State, instance: &Arc<Instance>) {
        for line in &state.journal {
            instance.say(line.clone());
        }
        if !state.journal.is_empty() {
            // What the orders changed is not known here: better no version than a wrong one.
            instance.versions().clear();
        }
        self.instances.rcu(|list| list.iter().cloned().chain([Arc::clone(instance)]).collect::<Vec<_>>());
    }

    /// Takes an instance out of the list.
    pub fn take_out(&self, instance: &Arc<Instance>) {
        self.instances.rcu(|list| list.iter().filter(|one| !Arc::ptr_eq(one, instance)).cloned().collect::<Vec<_>>());
    }

    /// Nothing runs, starts or waits, and no crash has to be remembered.
    pub fn is_at_rest(&self, state: &State) -> bool {
        let remembering = state.remember_until.is_some_and(|until| until > Instant::now());
        self.instances.load().is_empty()
            && state.starting == 0
            && self.waiting.load(Ordering::Acquire) == 0
            && !remembering
    }

    /// Somebody waits.
    pub fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// An instance has loaded its code.
    pub fn survived_start(&self) {
        self.state().failure = None;
    }
}

impl State {
    /// An instance ended unexpectedly after so long a life.
    pub fn crashed(&mut self, life: Duration) {
        self.remember_until = Some(Instant::now() + 2 * BACKOFF.1);
        self.crashes = if life > BACKOFF.1 { 1 } else { self.crashes.saturating_add(1) };
        if self.crashes > FORGIVEN {
            let doublings = (self.crashes - FORGIVEN - 1).min(10);
            self.not_before = Some(Instant::now() + (BACKOFF.0 * 2u32.pow(doublings)).min(BACKOFF.1));
        }
    }

    /// How long no start may be tried.
    pub fn pause(&self) -> Option<Duration> {
        self.not_before.and_then(|until| until.checked_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Notes an order for instances that are being started.
    pub fn note(&mut self, line: &str) {
        if self.starting > 0 {
            self.journal.push(line.to_owned());
        }
    }
}

/// Somebody who waits for a place.
pub struct Waiting(Arc<App>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// 503: too much waits.
pub fn overloaded(limits: &AppLimits) -> Fault {
    Fault::new(
        Kind::Unavailable,
        "app.overloaded",
        format!(
            "The app has more requests than it can take: {} instances of {} requests each are busy and {} wait. Try again soon; its owner can raise these limits.",
            limits.instances_max, limits.concurrency, limits.queue
        ),
    )
    .retry_after(1)
}

fn crashing(pause: Duration) -> Fault {
    let seconds = u32::try_from(pause.as_secs() + 1).unwrap_or(u32::MAX);
    Fault::new(
        Kind::Unavailable,
        "app.start_failed",
        "The app has crashed several times in a row and is left in peace for a moment. Its log says why.",
    )
    .retry_after(seconds)
}
