//! Runtimes that wait for apps. Each is given out once; refilling waits until those who start are through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use darter_core::limits::AppLimits;
use darter_sandbox::SandboxError;
use tokio::sync::Notify;

use super::slot::{Builder, Slot};
use crate::config::PoolConfig;

/// After a failed build, before the next: doubles up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Where a slot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Pool,
    Empty,
}

/// The waiting runtimes.
pub struct Pool {
    builder: Builder,
    config: PoolConfig,
    ready: Mutex<VecDeque<Slot>>,
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
            ready: Mutex::new(VecDeque::new()),
            taken: Notify::new(),
            filled: Notify::new(),
            closed: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&pool).refill());
        pool
    }

    /// How many wait now.
    pub fn ready(&self) -> usize {
        self.lock().len()
    }

    /// Resolves when the pool is full.
    pub async fn full(&self) {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            if self.ready() >= self.config.size || self.closed.load(Ordering::Acquire) {
                return;
            }
            filled.await;
        }
    }

    /// A runtime with scratch folders of this size: a waiting one, or one built now.
    pub async fn claim(&self, disk: u64) -> Result<(Slot, From), SandboxError> {
        if disk == standard_disk() {
            while let Some(slot) = self.pop() {
                if slot.sandbox.ended().is_none() {
                    return Ok((slot, From::Pool));
                }
            }
        }
        Ok((self.builder.build(disk).await?, From::Empty))
    }

    fn pop(&self) -> Option<Slot> {
        let slot = self.lock().pop_front();
        self.taken.notify_one();
        slot
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Slot>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refill(self: Arc<Self>) {
        let mut pause = BACKOFF.0;
        while !self.closed.load(Ordering::Acquire) {
            if self.ready() >= self.config.size {
                self.filled.notify_waiters();
                self.taken.notified().await;
                self.calm().await;
                continue;
            }
            match self.builder.build(standard_disk()).await {
                Ok(slot) => {
                    pause = BACKOFF.0;
                    if !self.closed.load(Ordering::Acquire) {
                        self.lock().push_back(slot);
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
        self.lock().clear();
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
        self.lock().clear();
        self.taken.notify_one();
        self.filled.notify_waiters();
    }
}

/// What apps get unless they set something else.
fn standard_disk() -> u64 {
    AppLimits::default().disk_bytes
}
