//! What can be done with a workspace now, by its state and by role, and why not. Pure.

use darter_api::workspace::{Offer, Reason};
use darter_core::role::{Action, Decision, Role, can};
use darter_core::workspace::Desired;

use super::view::reason;

/// What an action needs of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Not in the recycle bin.
    Kept,
    /// Something of it runs.
    Up,
    /// Nothing of it runs.
    Down,
    /// In the recycle bin.
    Recycled,
}

const ROWS: &[(&str, Action, When)] = &[
    ("open", Action::Edit, When::Kept),
    ("start", Action::Edit, When::Down),
    ("stop", Action::Edit, When::Up),
    ("restart", Action::Edit, When::Up),
    ("keep", Action::Edit, When::Up),
    ("snapshot", Action::Edit, When::Kept),
    ("clone", Action::Edit, When::Kept),
    ("rename", Action::Own, When::Kept),
    ("update", Action::Own, When::Kept),
    ("delete", Action::Own, When::Kept),
    ("restore", Action::Own, When::Recycled),
    ("purge", Action::Own, When::Recycled),
];

/// Every action, and whether it can be done now.
pub(crate) fn offers(role: Role, desired: Desired, state: &str) -> Vec<Offer> {
    let down = matches!(state, "stopped" | "failed");
    ROWS.iter()
        .map(|(action, right, when)| {
            let why = refused(role, *right).or_else(|| unfit(*when, desired, down));
            Offer { action: (*action).to_owned(), allowed: why.is_none(), reason: why }
        })
        .collect()
}

fn refused(role: Role, right: Action) -> Option<Reason> {
    let word = match role {
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Owner => "owner",
    };
    (can(Some(role), right) != Decision::Allow).then(|| reason("role", &[("role", word.into())]))
}

fn unfit(when: When, desired: Desired, down: bool) -> Option<Reason> {
    let recycled = desired == Desired::Recycled;
    match when {
        When::Recycled if recycled => None,
        When::Recycled => Some(reason("not_recycled", &[])),
        When::Kept | When::Up | When::Down if recycled => Some(reason("recycled", &[])),
        When::Up if down => Some(reason("asleep", &[])),
        When::Down if !down => Some(reason("awake", &[])),
        When::Kept | When::Up | When::Down => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offers_follow_state_and_role_and_say_why_not() {
        let allowed = |role, desired, state| {
            let all = offers(role, desired, state);
            assert!(all.iter().all(|offer| offer.allowed == offer.reason.is_none()));
            all.into_iter().filter(|offer| offer.allowed).map(|offer| offer.action).collect::<Vec<_>>().join(" ")
        };
        let rows = [
            (Role::Viewer, Desired::Awake, "running", ""),
            (Role::Editor, Desired::Awake, "running", "open stop restart keep snapshot clone"),
            (Role::Editor, Desired::Asleep, "stopped", "open start snapshot clone"),
            (Role::Owner, Desired::Awake, "frozen", "open stop restart keep snapshot clone rename update delete"),
            (Role::Owner, Desired::Awake, "failed", "open start snapshot clone rename update delete"),
            (Role::Owner, Desired::Recycled, "stopped", "restore purge"),
            (Role::Editor, Desired::Recycled, "stopped", ""),
        ];
        for (role, desired, state, expected) in rows {
            assert_eq!(allowed(role, desired, state), expected, "{role:?} {desired:?} {state}");
        }
        let why = |action: &str| {
            let all = offers(Role::Editor, Desired::Asleep, "stopped");
            all.into_iter().find(|offer| offer.action == action).unwrap().reason.unwrap().key
        };
        assert_eq!([why("stop"), why("delete"), why("restore")], ["asleep", "role", "role"]);
    }
}
