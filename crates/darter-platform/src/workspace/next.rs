//! What happens to a workspace when nobody does anything: what, when, and why. Pure.

use darter_api::workspace::{Next, Reason};
use darter_core::Millis;
use darter_core::workspace::{Desired, Kept};
use darter_store::workspace::Workspace;

use super::config::{WorkspaceConfig, millis};
use super::contract::{Why, WorkspaceState, WorkspaceStatus};
use super::view::{reason, state_word};

/// The next thing that comes by itself.
pub(crate) fn next(config: &WorkspaceConfig, row: &Workspace, status: &WorkspaceStatus, now: Millis) -> Option<Next> {
    if row.desired == Desired::Recycled {
        let span = if row.kept == Kept::Temporary { 0 } else { config.recycle_ms };
        let at = row.recycled_at.unwrap_or(now).saturating_add(millis(span));
        return Some(purged(at, "recycled", span));
    }
    if let Some((state, at, why)) = status.next {
        let (at, why) = match row.keep_until {
            Some(until) if until > at => (until, reason("kept", &[("keep_until_at", until.into())])),
            Some(_) | None => (at, because(row, why)),
        };
        return Some(Next { state: state_word(state).to_owned(), at, reason: why });
    }
    let asleep = status.seen.state == WorkspaceState::Stopped && row.desired == Desired::Asleep;
    let temporary = row.kept == Kept::Temporary && asleep;
    let at = row.used_at.saturating_add(millis(config.temporary_ms));
    temporary.then(|| purged(at, "temporary", config.temporary_ms))
}

fn purged(at: Millis, key: &str, after_ms: u64) -> Next {
    Next { state: "purged".to_owned(), at, reason: reason(key, &[("after_ms", after_ms.into())]) }
}

fn because(row: &Workspace, why: Why) -> Reason {
    let (key, after_ms) = match why {
        Why::Quiet => ("quiet", row.rest.freeze_after_ms),
        Why::OpenButQuiet => ("open_but_quiet", row.rest.freeze_open_after_ms),
        Why::JobsForLong => ("jobs_for_long", row.rest.jobs_most_ms),
        Why::FrozenForLong => ("frozen_for_long", row.rest.stop_after_ms),
    };
    reason(key, &[("after_ms", after_ms.into())])
}
