//! What a workspace's owner wants of it. What it really does is observed by the engine, and stored apart.
//!
//! ```text
//!           Stop, Rest              Delete
//!   awake ─────────────► asleep ──────────────► recycled ──► (purged: the row is gone)
//!     ▲                   │  ▲                     │
//!     └───────────────────┘  └─────────────────────┘
//!            Start                  Restore
//!   awake ── Delete ──► recycled          recycled ── Purge ──► gone
//! ```
//! *Awake* means that it may run: it rests when nobody needs it, and the first byte brings it back. When it has been
//! quiet for so long that the engine ended it, the wish becomes *asleep* ([`Wish::Rest`]).

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// What the owner wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It runs, or rests in memory; what crashes comes back.
    Awake,
    /// Only its files are kept; opening it starts it.
    Asleep,
    /// In the recycle bin: it cannot be opened, and is kept until purged.
    Recycled,
}

/// What can be asked of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    Start,
    Stop,
    /// The engine ended it because it was quiet for long.
    Rest,
    Delete,
    Restore,
    Purge,
}

/// The wish after another one; `None`: the row is gone. Asking for what is so already is accepted.
pub fn apply(desired: Desired, wish: Wish) -> Result<Option<Desired>, Fault> {
    use {Desired as D, Wish as W};
    match (desired, wish) {
        (D::Awake | D::Asleep, W::Start) => Ok(Some(D::Awake)),
        (D::Awake | D::Asleep, W::Stop | W::Rest) => Ok(Some(D::Asleep)),
        (D::Awake | D::Asleep | D::Recycled, W::Delete) => Ok(Some(D::Recycled)),
        (D::Recycled, W::Restore) => Ok(Some(D::Asleep)),
        (D::Awake | D::Asleep, W::Restore) => Ok(Some(desired)),
        (D::Recycled, W::Rest) => Ok(Some(D::Recycled)),
        (D::Recycled, W::Purge) => Ok(None),
        (D::Recycled, W::Start | W::Stop) => Err(recycled()),
        (D::Awake | D::Asleep, W::Purge) => Err(Fault::conflict(
            "workspace.not_recycled",
            "Only a workspace in the recycle bin can be removed for good. Delete it first.",
        )),
    }
}

/// The answer to whoever wants something of a workspace in the recycle bin.
pub fn recycled() -> Fault {
    Fault::conflict("workspace.recycled", "This workspace is in the recycle bin. Restore it first.")
}

/// The longest name of a workspace, in characters.
pub const NAME_LIMIT: usize = 64;

/// Checks a workspace's name: 1 to 64 characters, no control characters, not only spaces.
pub fn validate_name(name: &str) -> Result<(), Fault> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > NAME_LIMIT || name.chars().any(char::is_control) {
        return Err(Fault::invalid(
            "workspace.name_invalid",
            "A workspace's name has 1 to 64 characters and no control characters.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_answers_every_wish() {
        use {Desired as D, Wish as W};
        let rows = [
            (D::Awake, W::Start, Ok(Some(D::Awake))),
            (D::Awake, W::Stop, Ok(Some(D::Asleep))),
            (D::Awake, W::Rest, Ok(Some(D::Asleep))),
            (D::Awake, W::Delete, Ok(Some(D::Recycled))),
            (D::Awake, W::Restore, Ok(Some(D::Awake))),
            (D::Awake, W::Purge, Err("workspace.not_recycled")),
            (D::Asleep, W::Start, Ok(Some(D::Awake))),
            (D::Asleep, W::Stop, Ok(Some(D::Asleep))),
            (D::Asleep, W::Rest, Ok(Some(D::Asleep))),
            (D::Asleep, W::Delete, Ok(Some(D::Recycled))),
            (D::Asleep, W::Restore, Ok(Some(D::Asleep))),
            (D::Asleep, W::Purge, Err("workspace.not_recycled")),
            (D::Recycled, W::Start, Err("workspace.recycled")),
            (D::Recycled, W::Stop, Err("workspace.recycled")),
            (D::Recycled, W::Rest, Ok(Some(D::Recycled))),
            (D::Recycled, W::Delete, Ok(Some(D::Recycled))),
            (D::Recycled, W::Restore, Ok(Some(D::Asleep))),
            (D::Recycled, W::Purge, Ok(None)),
        ];
        for (desired, wish, expected) in rows {
            assert_eq!(apply(desired, wish).map_err(|fault| fault.code), expected, "{desired:?} {wish:?}");
        }
    }

    #[test]
    fn a_name_is_what_a_person_can_read() {
        for good in ["shop", "Zürich 🦋", &"a".repeat(64)] {
            assert_eq!(validate_name(good), Ok(()), "{good}");
        }
        for bad in ["", "  ", "a\nb", "\u{1b}[31m", &"a".repeat(65)] {
            assert!(validate_name(bad).is_err(), "{bad:?}");
        }
    }
}
