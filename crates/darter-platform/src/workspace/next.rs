//! What happens to a workspace when nobody does anything: what, when, and why. Pure.

use darter_api::workspace::{Next, Reason};
use darter_core::Millis;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::rest::{Step, Why};
use darter_core::workspace::{Desired, Kept};
use darter_engine::workspace::WorkspaceStatus;
use darter_store::workspace::Workspace;

use super::config::{WorkspaceConfig, millis};
use super::view::reason;

/// The next thing that comes by itself.
pub(crate) fn next(config: &WorkspaceConfig, row: &Workspace, status: &WorkspaceStatus, now: Millis) -> Option<Next> {
    if row.desired == Desired::Recycled {
        let span = if row.kept == Kept::Temporary { 0 } else { config.recycle_ms };
        let at = row.recycled_at.unwrap_or(now).saturating_add(millis(span));
        return Some(purged(at, "recycled", span));
    }
    if let Some(next) = status.next {
        let state = match next.step {
            Step::Freeze => "frozen",
            Step::Stop => "stopped",
        };
        return Some(Next { state: state.to_owned(), at: next.at, reason: because(row, next.why, next.at) });
    }
    let asleep = status.observed.state == State::Stopped && row.desired == Desired::Asleep;
    let temporary = row.kept == Kept::Temporary && asleep;
    let at = row.used_at.saturating_add(millis(config.temporary_ms));
    temporary.then(|| purged(at, "temporary", config.temporary_ms))
}

fn purged(at: Millis, key: &str, after_ms: u64) -> Next {
    Next { state: "purged".to_owned(), at, reason: reason(key, &[("after_ms", after_ms.into())]) }
}

fn because(row: &Workspace, why: Why, at: Millis) -> Reason {
    let (key, after_ms) = match why {
        Why::Kept => return reason("kept", &[("keep_until_at", at.into())]),
        Why::Quiet => ("quiet", row.rest.freeze_after_ms),
        Why::OpenButQuiet => ("open_but_quiet", row.rest.freeze_open_after_ms),
        Why::JobsLimit => ("jobs_limit", row.rest.jobs_most_ms),
        Why::JobEnded => ("job_ended", row.rest.freeze_after_ms),
        Why::FrozenForLong => ("frozen_for_long", row.rest.stop_after_ms),
    };
    reason(key, &[("after_ms", after_ms.into())])
}
