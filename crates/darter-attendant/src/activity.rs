//! When a person last did something here, and of what kind. Only what was typed or written counts, never what a program
//! printed.

use std::sync::{Arc, Mutex, PoisonError};

use darter_core::clock::{Clock, Millis};
use serde::Serialize;
use tokio::sync::Notify;

use crate::fault::Fault;

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Input {
    Terminal,
    Editor,
    File,
}

impl Input {
    pub(crate) fn named(name: &str) -> Result<Self, Fault> {
        match name {
            "terminal" => Ok(Self::Terminal),
            "editor" => Ok(Self::Editor),
            "file" => Ok(Self::File),
            other => Err(Fault::invalid(format!("`{other}` is no kind of activity: terminal, editor or file"))),
        }
    }
}

pub(crate) struct Activity {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Millis, Input)>>,
    changed: Arc<Notify>,
}

impl Activity {
    pub(crate) fn new(clock: Arc<dyn Clock>, changed: Arc<Notify>) -> Self {
        Self { clock, last: Mutex::new(None), changed }
    }

    pub(crate) fn input(&self, kind: Input) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.clock.now(), kind));
        self.changed.notify_waiters();
    }

    pub(crate) fn last(&self) -> Option<(Millis, Input)> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
