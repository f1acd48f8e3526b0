//! Units that wait for workspaces, per environment: as many as were just wanted, within bounds and memory. Each is given
//! out once, and refilling waits until those who start are through.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use darter_core::workspace::EnvironmentName;
use darter_sandbox::SandboxError;
use tokio::sync::Notify;

use super::unit::{Builder, Unit};
use crate::environment::{Environments, InstalledEnvironment};
use crate::turns::Turns;
use crate::workspace::config::WorkspacePoolConfig;

/// After a failed build, before the next: doubles up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a wish counts as demand.
const MEMORY_OF_DEMAND: Duration = Duration::from_secs(300);
/// So many wishes in that time make one more worth having.
const WISHES_PER_UNIT: usize = 3;
/// An environment that was installed meanwhile is noticed by then.
const LOOK: Duration = Duration::from_secs(5);
/// Longest that refilling waits for those who start.
const LONGEST_CALM: Duration = Duration::from_secs(10);
/// The pool takes at most this part of what the machine has to spare.
const SHARE: u64 = 4;

/// The waiting units.
pub(super) struct Pool {
    builder: Builder,
    environments: Arc<dyn Environments>,
    starts: Arc<Turns>,
    config: WorkspacePoolConfig,
    state: Mutex<State>,
    taken: Notify,
    filled: Notify,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    /// By the environment's digest.
    waiting: HashMap<String, VecDeque<Unit>>,
    wishes: HashMap<EnvironmentName, VecDeque<Instant>>,
}

impl Pool {
    /// An empty pool and the task that fills it.
    pub(super) fn start(
        builder: Builder,
        environments: Arc<dyn Environments>,
        starts: Arc<Turns>,
        config: WorkspacePoolConfig,
    ) -> Arc<Self> {
        let pool = Arc::new(Self {
            builder,
            environments,
            starts,
            config,
            state: Mutex::default(),
            taken: Notify::new(),
            filled: Notify::new(),
            closed: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&pool).refill());
        pool
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait now.
    pub(super) fn ready(&self) -> usize {
        self.lock().waiting.values().map(VecDeque::len).sum()
    }

    /// Resolves when nothing more is to be built.
    pub(super) async fn full(&self) {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            if self.closed.load(Ordering::Acquire) || self.wanted().is_none() {
                return;
            }
            filled.await;
        }
    }

    /// One that waits, if any.
    pub(super) fn claim(&self, environment: &InstalledEnvironment) -> Option<Unit> {
        let unit = {
            let mut state = self.lock();
            state.wishes.entry(environment.name.clone()).or_default().push_back(Instant::now());
            let waiting = state.waiting.get_mut(&environment.digest);
            waiting.and_then(|units| {
                while let Some(unit) = units.pop_front() {
                    if unit.sandbox.ended().is_none() {
                        return Some(unit);
                    }
                }
                None
            })
        };
        self.taken.notify_one();
        unit
    }

    /// A unit of this environment, built now.
    pub(super) async fn build(&self, environment: &Arc<InstalledEnvironment>) -> Result<Unit, SandboxError> {
        self.builder.build(environment).await
    }

    /// What is to be built next, if anything; lets go of what nobody can want any more.
    fn wanted(&self) -> Option<Arc<InstalledEnvironment>> {
        let ready = self.environments.ready();
        let mut state = self.lock();
        state.waiting.retain(|digest, _| ready.iter().any(|environment| environment.digest == *digest));
        for units in state.waiting.values_mut() {
            units.retain(|unit| unit.sandbox.ended().is_none());
        }
        let now = Instant::now();
        for wishes in state.wishes.values_mut() {
            wishes.retain(|at| now.saturating_duration_since(*at) < MEMORY_OF_DEMAND);
        }
        let budget = self.config.memory_bytes.min(spare_memory() / SHARE);
        let costs = |digest: &String| ready.iter().find(|one| one.digest == *digest).map_or(0, |one| one.memory_hint);
        let spent: u64 = state.waiting.iter().map(|(digest, units)| costs(digest) * units.len() as u64).sum();
        ready.into_iter().find(|environment| {
            let wishes = state.wishes.get(&environment.name).map_or(0, VecDeque::len);
            let target = (self.config.least + wishes.div_ceil(WISHES_PER_UNIT)).min(self.config.most);
            let target = if self.config.most == 0 { 0 } else { target };
            let waiting = state.waiting.get(&environment.digest).map_or(0, VecDeque::len);
            waiting < target && spent.saturating_add(environment.memory_hint) <= budget
        })
    }

    async fn refill(self: Arc<Self>) {
        let mut pause = BACKOFF.0;
        while !self.closed.load(Ordering::Acquire) {
            let Some(environment) = self.wanted() else {
                self.filled.notify_waiters();
                if tokio::time::timeout(LOOK, self.taken.notified()).await.is_ok() {
                    self.calm().await;
                }
                continue;
            };
            // The cores belong to those who wait; in a flood a little is built all the same.
            let _ = tokio::time::timeout(LONGEST_CALM, self.starts.quiet()).await;
            match self.builder.build_ahead(&environment).await {
                Ok(unit) => {
                    pause = BACKOFF.0;
                    if !self.closed.load(Ordering::Acquire) {
                        self.lock().waiting.entry(environment.digest.clone()).or_default().push_back(unit);
                    }
                }
                Err(SandboxError::LauncherGone) => return,
                Err(error) => {
                    tracing::error!(environment = %environment.name, %error, "building a workspace for the pool failed; trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF.1);
                }
            }
        }
        self.lock().waiting.clear();
    }

    /// Waits until nothing has been taken for a moment.
    async fn calm(&self) {
        let moment = Duration::from_millis(self.config.refill_after_ms);
        let longest = Instant::now() + moment * 10;
        while Instant::now() < longest && tokio::time::timeout(moment, self.taken.notified()).await.is_ok() {}
    }

    /// Ends those that wait, and makes no more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lock().waiting.clear();
        self.taken.notify_one();
        self.filled.notify_waiters();
    }
}

/// What the kernel says could be used without pushing anything out.
fn spare_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
}
