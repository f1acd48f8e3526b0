//! What an install does, for whoever watches: a state that can be asked for at any time, and events as they happen.
//!
//! A watcher that does not read loses events, never the end: the state has it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darter_core::{Clock, Millis};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// Events that wait for a slow watcher.
const WAITING: usize = 512;

/// What an install says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum InstallEvent {
    /// A phase began: `check`, `download`, `unpack`, `patch`, `packages`, `step`, `trim`, `warm`, `record`, `store`.
    Phase { name: String, what: String, number: u32, of: u32 },
    /// A line of a program's.
    Output { line: String },
    /// Bytes so far and in all (0: unknown).
    Download { what: String, bytes: u64, total: u64 },
    /// The end.
    Installed { digest: String, bytes: u64 },
    /// The end, in words for the operator.
    Failed { code: String, message: String },
}

/// Where an install is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallState {
    pub since: Millis,
    pub phase: String,
    pub what: String,
    pub number: u32,
    pub of: u32,
    pub bytes: u64,
    pub total: u64,
    pub line: String,
}

/// One install's voice.
#[derive(Debug)]
pub struct Progress {
    state: Mutex<InstallState>,
    events: broadcast::Sender<InstallEvent>,
}

impl Progress {
    pub fn new(clock: &dyn Clock) -> Arc<Self> {
        let state = InstallState { since: clock.now(), phase: "waiting".into(), ..InstallState::default() };
        Arc::new(Self { state: Mutex::new(state), events: broadcast::channel(WAITING).0 })
    }

    fn lock(&self) -> MutexGuard<'_, InstallState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn state(&self) -> InstallState {
        self.lock().clone()
    }

    pub fn watch(&self) -> broadcast::Receiver<InstallEvent> {
        self.events.subscribe()
    }

    pub fn say(&self, event: InstallEvent) {
        {
            let mut state = self.lock();
            match &event {
                InstallEvent::Phase { name, what, number, of } => {
                    *state = InstallState {
                        since: state.since,
                        phase: name.clone(),
                        what: what.clone(),
                        number: *number,
                        of: *of,
                        ..InstallState::default()
                    };
                }
                InstallEvent::Output { line } => state.line.clone_from(line),
                InstallEvent::Download { bytes, total, .. } => (state.bytes, state.total) = (*bytes, *total),
                InstallEvent::Installed { .. } | InstallEvent::Failed { .. } => {}
            }
        }
        // Nobody watches: the state is enough.
        let _ = self.events.send(event);
    }
}
