//! What the engine holds of one workspace. Every change goes through [`Inner::apply`], under its lock; whoever waits is
//! told by the version.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use darter_core::record::StartPhases;
use darter_core::workspace::lifecycle::{Action, Event, Life, Refused, State};
use darter_core::workspace::rest::{self, Next, Signals};
use darter_core::{Fault, Millis, WorkspaceId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::unit::Unit;
use crate::workspace::{Job, Observed, OpenPort, QueuePlace, Trouble, WorkspaceBundle};

/// A workspace that somebody has asked about.
pub(super) struct Workspace {
    pub(super) id: WorkspaceId,
    inner: Mutex<Inner>,
    /// Counts changes that somebody may wait for.
    version: watch::Sender<u64>,
    /// Its supervisor has something to look at.
    pub(super) nudge: Notify,
}

/// What changes.
pub(super) struct Inner {
    pub(super) life: Life,
    pub(super) since: Millis,
    /// It went to rest by itself.
    pub(super) rested: bool,
    /// Of the newest start.
    pub(super) bundle: Option<WorkspaceBundle>,
    /// Claimed: its doors can be knocked at.
    pub(super) unit: Option<Arc<Unit>>,
    /// Of the start that goes on.
    pub(super) cancel: CancellationToken,
    pub(super) signals: Signals,
    pub(super) seen: Seen,
    pub(super) editor: Editor,
    pub(super) queue: Option<QueuePlace>,
    pub(super) trouble: Option<Trouble>,
    pub(super) start: Option<StartPhases>,
    /// Starts that were asked for, and the last that failed.
    pub(super) attempts: u64,
    pub(super) failure: Option<(u64, Fault)>,
    /// How often it was told to stop: who waited for it then is told so, and does not start it again.
    pub(super) stops: u64,
    pub(super) ran_from: Option<Instant>,
    /// It was woken up for a snapshot only, and goes back to sleep when that is done.
    pub(super) errand: bool,
    /// Its settings were changed after the start that goes on had read them.
    pub(super) stale: bool,
    /// A home is being put in the place of the one that is there: nobody may mount either.
    pub(super) replacing: bool,
}

/// What the attendant says is going on.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) jobs: Vec<Job>,
    pub(super) ports: Vec<OpenPort>,
    pub(super) terminals: u32,
    pub(super) disk: (u64, u64),
    /// Processes that the kernel has ended for want of memory, as far as told.
    pub(super) out_of_memory: u64,
}

/// The editor inside.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Editor {
    /// It was told to start.
    pub(super) started: bool,
    /// Ends in a row, and since when it runs.
    pub(super) crashes: u32,
    pub(super) since: Option<Instant>,
}

impl Workspace {
    pub(super) fn new(id: WorkspaceId, now: Millis) -> Arc<Self> {
        let inner = Inner {
            life: Life::STOPPED,
            since: now,
            rested: false,
            bundle: None,
            unit: None,
            cancel: CancellationToken::new(),
            signals: Signals::default(),
            seen: Seen::default(),
            editor: Editor::default(),
            queue: None,
            trouble: None,
            start: None,
            attempts: 0,
            failure: None,
            stops: 0,
            ran_from: None,
            errand: false,
            stale: false,
            replacing: false,
        };
        Arc::new(Self { id, inner: Mutex::new(inner), version: watch::Sender::new(0), nudge: Notify::new() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
        self.nudge.notify_one();
    }

    /// Resolves with the next change after this call.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

impl Inner {
    /// Moves on; the caller carries the action out.
    pub(super) fn apply(&mut self, event: Event, now: Millis) -> Result<Option<Action>, Refused> {
        let (life, action) = self.life.apply(event)?;
        if life.state != self.life.state {
            self.since = now;
            self.queue = None;
            match life.state {
                State::Running => self.signals.frozen_at = None,
                State::Frozen => {
                    self.signals.frozen_at = Some(now);
                    self.signals.resting_from.get_or_insert(now);
                }
                State::Queued => self.rested = false,
                State::Stopped
                | State::Starting
                | State::Pausing
                | State::Reclaimed
                | State::Stopping
                | State::Failed => {}
            }
        }
        self.life = life;
        Ok(action)
    }

    /// Nothing of it runs any more.
    pub(super) fn bury(&mut self) {
        self.cancel.cancel();
        self.unit = None;
        self.seen = Seen::default();
        self.editor = Editor::default();
        self.signals = Signals { keep_until: self.signals.keep_until, ..Signals::default() };
        self.ran_from = None;
        self.errand = false;
    }

    /// Somebody wants it: what they want counts from now.
    pub(super) fn input(&mut self, at: Millis) {
        self.signals.input_at = self.signals.input_at.max(at);
    }

    /// What happens when nobody does anything.
    pub(super) fn next(&self, freezer: bool) -> Option<Next> {
        let awake = matches!(self.life.state, State::Running | State::Frozen | State::Reclaimed);
        let bundle = self.bundle.as_ref().filter(|_| awake)?;
        Some(rest::next(&self.signals, &bundle.rest, freezer))
    }

    /// Somebody is there, or it is to be kept: a crash is put right at once.
    pub(super) fn is_wanted(&self, now: Millis) -> bool {
        self.signals.connections > 0 || self.signals.keep_until.is_some_and(|until| until > now)
    }

    pub(super) fn observed(&self) -> Observed {
        Observed {
            state: self.life.state,
            since: self.since,
            rested: self.rested,
            queue: self.queue,
            trouble: self.trouble.clone(),
            start: self.start.clone(),
        }
    }
}
