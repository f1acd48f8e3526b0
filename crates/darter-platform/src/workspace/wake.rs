//! Starting and ending what runs, after the wish was committed. When the process dies in between, the next start reads the
//! store: there is nothing to repair.

use std::sync::Arc;
use std::time::Duration;

use darter_core::workspace::Desired;
use darter_core::workspace::lifecycle::State;
use darter_core::{Fault, Kind, Millis, WorkspaceId};
use darter_engine::workspace::Trouble;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::source::Sight;
use crate::Platform;

/// Begins a start that goes on by itself; the receiver hears how it ended. The engine forgets with the process what is to
/// be kept awake: it is told again.
pub(crate) fn begin(
    platform: &Arc<Platform>,
    id: &WorkspaceId,
    keep_until: Option<Millis>,
) -> oneshot::Receiver<Result<(), Fault>> {
    let (sender, receiver) = oneshot::channel();
    let (platform_of_task, id) = (Arc::clone(platform), id.clone());
    platform.tasks.spawn(async move {
        let platform = platform_of_task;
        if keep_until.is_some() {
            platform.workspaces.engine.keep_until(&id, keep_until);
        }
        let started = platform.workspaces.engine.start(&id).await.map(|_| ());
        if let Err(fault) = &started {
            refused(&platform, &id, fault);
        }
        platform.workspaces.changed(&id);
        // Whoever asked may have gone away.
        let _ = sender.send(started);
    });
    receiver
}

/// A start that came to nothing is written down, so that everybody sees why. What the engine refused because it is busy is
/// not tried again behind its owner's back.
fn refused(platform: &Platform, id: &WorkspaceId, fault: &Fault) {
    let busy = matches!(fault.kind, Kind::RateLimited | Kind::Unavailable | Kind::Conflict);
    if fault.kind == Kind::Internal {
        tracing::error!(workspace = %id, %fault, cause = ?fault.cause, "a workspace did not start");
    } else {
        tracing::info!(workspace = %id, %fault, "a workspace did not start");
    }
    let now = platform.clock.now();
    let mut seen = platform.workspaces.engine.status(id).observed;
    seen.since = now;
    seen.rested = busy;
    if !busy && seen.state == State::Stopped {
        seen.state = State::Failed;
    }
    seen.trouble.get_or_insert_with(|| Trouble {
        code: fault.code.to_owned(),
        message: fault.message.clone(),
        last_lines: Vec::new(),
        at: now,
    });
    platform.workspaces.send(Sight::Seen(id.clone(), seen, now));
}

/// Waits for the first sign of a start that was begun: it goes on, or it was refused.
pub(crate) async fn first_sign(
    platform: &Platform,
    id: &WorkspaceId,
    started: oneshot::Receiver<Result<(), Fault>>,
) -> Result<(), Fault> {
    let mut changes = platform.workspaces.watch(id);
    let goes_on = async {
        loop {
            match platform.workspaces.engine.status(id).observed.state {
                State::Stopped | State::Stopping | State::Failed => {}
                State::Queued
                | State::Starting
                | State::Pausing
                | State::Running
                | State::Frozen
                | State::Reclaimed => return,
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        ended = started => ended.unwrap_or(Ok(())),
        () = goes_on => Ok(()),
    }
}

/// How long an answer waits for the end of what runs. Most editors end within a second.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Makes what runs agree with a wish that was committed. It goes on by itself; whoever wants to see the end waits for it
/// with [`ended`].
pub(crate) fn settle(platform: &Arc<Platform>, id: &WorkspaceId, desired: Desired) -> Option<JoinHandle<()>> {
    match desired {
        Desired::Awake => None,
        Desired::Asleep | Desired::Recycled => {
            let (platform_of_task, id) = (Arc::clone(platform), id.clone());
            Some(platform.tasks.spawn(async move {
                if let Err(fault) = platform_of_task.workspaces.engine.stop(&id).await {
                    tracing::warn!(workspace = %id, %fault, cause = ?fault.cause, "a workspace did not stop; it is tried again");
                }
                platform_of_task.workspaces.changed(&id);
            }))
        }
    }
}

/// Waits until nothing runs any more, but not for ever.
pub(crate) async fn ended(stopping: Option<JoinHandle<()>>) {
    if let Some(stopping) = stopping {
        // What takes longer is seen as stopping.
        let _ = tokio::time::timeout(STOP_PATIENCE, stopping).await;
    }
}
