//! An app's life as its owner sees it.
//!
//! ```text
//!            stop                delete
//!  running ───────► stopped ───────────────► recycled ──► (purged: the row is gone)
//!     ▲               │  ▲                      │
//!     └───────────────┘  └──────────────────────┘
//!           start                restore
//!  running ── delete ──► recycled          recycled ── purge ──► gone
//! ```
//! This is the *desired* state. Whether an instance is warm, frozen or absent is the engine's *observed* state.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// What the owner wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// Requests are served; instances come and go with traffic.
    Running,
    /// Requests get a clear answer that the app is stopped.
    Stopped,
    /// In the recycle bin: invisible to callers, kept until purged.
    Recycled,
}

/// What can happen to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AppEvent {
    Start,
    Stop,
    Delete,
    Restore,
    Purge,
}

/// The state after an event; `None`: the row is gone.
pub fn apply(state: AppState, event: AppEvent) -> Result<Option<AppState>, Fault> {
    use {AppEvent as E, AppState as S};
    match (state, event) {
        (S::Running | S::Stopped, E::Start) => Ok(Some(S::Running)),
        (S::Running | S::Stopped, E::Stop) => Ok(Some(S::Stopped)),
        (S::Running | S::Stopped | S::Recycled, E::Delete) => Ok(Some(S::Recycled)),
        (S::Recycled, E::Restore) => Ok(Some(S::Stopped)),
        (S::Running | S::Stopped, E::Restore) => Ok(Some(state)),
        (S::Recycled, E::Purge) => Ok(None),
        (S::Recycled, E::Start | E::Stop) => {
            Err(Fault::conflict("app.recycled", "This app is in the recycle bin. Restore it first."))
        }
        (S::Running | S::Stopped, E::Purge) => Err(Fault::conflict(
            "app.not_recycled",
            "Only an app in the recycle bin can be removed for good. Delete it first.",
        )),
    }
}

/// The longest app name, in characters.
pub const NAME_LIMIT: usize = 64;

/// Checks an app's display name: 1 to 64 characters, no control characters, not only spaces.
pub fn validate_name(name: &str) -> Result<(), Fault> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > NAME_LIMIT || name.chars().any(char::is_control) {
        return Err(Fault::invalid(
            "app.name_invalid",
            "An app's name has 1 to 64 characters and no control characters.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_answers_every_event() {
        use {AppEvent as E, AppState as S};
        let rows = [
            (S::Running, E::Start, Ok(Some(S::Running))),
            (S::Running, E::Stop, Ok(Some(S::Stopped))),
            (S::Running, E::Delete, Ok(Some(S::Recycled))),
            (S::Running, E::Restore, Ok(Some(S::Running))),
            (S::Running, E::Purge, Err("app.not_recycled")),
            (S::Stopped, E::Start, Ok(Some(S::Running))),
            (S::Stopped, E::Stop, Ok(Some(S::Stopped))),
            (S::Stopped, E::Delete, Ok(Some(S::Recycled))),
            (S::Stopped, E::Restore, Ok(Some(S::Stopped))),
            (S::Stopped, E::Purge, Err("app.not_recycled")),
            (S::Recycled, E::Start, Err("app.recycled")),
            (S::Recycled, E::Stop, Err("app.recycled")),
            (S::Recycled, E::Delete, Ok(Some(S::Recycled))),
            (S::Recycled, E::Restore, Ok(Some(S::Stopped))),
            (S::Recycled, E::Purge, Ok(None)),
        ];
        for (state, event, expected) in rows {
            assert_eq!(apply(state, event).map_err(|fault| fault.code), expected, "{state:?} {event:?}");
        }
    }
}
