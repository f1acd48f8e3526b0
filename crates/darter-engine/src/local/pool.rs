//! Runtimes that wait for apps. Each is given out once; refilling waits until those who start are through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use darter_core::limits::AppLimits;
use darter_sandbox::SandboxError;
use tokio::sync::Notify;

use super::slot::{Builder, Shape, Slot};
use crate::config::PoolConfig;

/// After a failed build, before the next: doubles up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Where a slot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Pool,
    Empty,
}

/// Other shapes than the usual one that the pool keeps one runtime of, each: those asked for last.
const OTHERS: usize = 2;

/// The waiting runtimes.
pub struct Pool {
    builder: Builder,
    config: PoolConfig,
    ready: Mutex<Ready>,
    taken: Notify,
    filled: Notify,
    closed: AtomicBool,
}

impl Pool {
    /// An empty pool and the task that fills it.
    pub fn start(builder: Builder, config: PoolConfig) -> Arc<Self> {
        let pool = Arc::new(Self {
            builder,
            config,
            ready: Mutex::new(Ready::default()),
            taken: Notify::new(),
            filled: Notify::new(),
            closed: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&pool).refill());
        pool
    }

    /// How many wait now.
    pub fn ready(&self) -> usize {
        self.lock().slots.len()
    }

    /// Resolves when the pool is full.
    pub async fn full(&self) {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            if self.missing().is_none() || self.closed.load(Ordering::Acquire) {
                return;
            }
            filled.await;
        }
    }

    /// A runtime of this shape: a waiting one, or one built now.
    pub async fn claim(&self, shape: Shape) -> Result<(Slot, From), SandboxError> {
        while let Some(slot) = self.pop(shape) {
            if slot.sandbox.ended().is_none() {
                return Ok((slot, From::Pool));
            }
        }
        Ok((self.builder.build(shape).await?, From::Empty))
    }

    fn pop(&self, shape: Shape) -> Option<Slot> {
        let slot = self.lock().take(shape);
        self.taken.notify_one();
        slot
    }

    /// The shape of which one more shall wait.
    fn missing(&self) -> Option<Shape> {
        self.lock().missing(self.config.size)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refill(self: Arc<Self>) {
        let mut pause = BACKOFF.0;
        while !self.closed.load(Ordering::Acquire) {
            let Some(shape) = self.missing() else {
                self.filled.notify_waiters();
                self.taken.notified().await;
                self.calm().await;
                continue;
            };
            match self.builder.build(shape).await {
                Ok(slot) => {
                    pause = BACKOFF.0;
                    if !self.closed.load(Ordering::Acquire) {
                        self.lock().slots.push(slot);
                    }
                }
                Err(SandboxError::LauncherGone) => return,
                Err(error) => {
                    tracing::error!(%error, "building a runtime for the pool failed; trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF.1);
                }
            }
        }
        self.lock().slots.clear();
    }

    /// Waits until nothing has been taken for a moment, or the pool is empty.
    async fn calm(&self) {
        let moment = Duration::from_millis(self.config.refill_after_ms);
        let longest = Instant::now() + moment * 10;
        while Instant::now() < longest && tokio::time::timeout(moment, self.taken.notified()).await.is_ok() {}
    }

    /// Ends those that wait, and makes no more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lock().slots.clear();
        self.taken.notify_one();
        self.filled.notify_waiters();
    }
}

/// Those that wait, and what was asked for besides the usual.
#[derive(Default)]
struct Ready {
    slots: Vec<Slot>,
    /// Newest last.
    others: VecDeque<Shape>,
}

impl Ready {
    fn take(&mut self, shape: Shape) -> Option<Slot> {
        if shape != usual() && self.others.back() != Some(&shape) {
            self.others.retain(|other| *other != shape);
            self.others.push_back(shape);
            if self.others.len() > OTHERS {
                let oldest = self.others.pop_front();
                self.slots.retain(|slot| Some(slot.shape) != oldest);
            }
        }
        let at = self.slots.iter().position(|slot| slot.shape == shape)?;
        Some(self.slots.remove(at))
    }

    fn missing(&self, size: usize) -> Option<Shape> {
        let count = |shape: Shape| self.slots.iter().filter(|slot| slot.shape == shape).count();
        if count(usual()) < size {
            return Some(usual());
        }
        self.others.iter().copied().find(|shape| size > 0 && count(*shape) == 0)
    }
}

/// The shape of apps that set nothing else.
fn usual() -> Shape {
    Shape::of(&AppLimits::default())
}
