//! Makes what runs agree with what is wanted. Takes no input: it reads both from the store, asks the engine, and acts.
//!
//! Idempotent, and it survives the end of the process at any line: each round begins from what is written down. Never acts
//! on what failed: that waits for its owner.

use std::sync::Arc;
use std::time::{Duration, Instant};

use darter_core::Fault;
use darter_core::workspace::Desired;
use darter_core::workspace::lifecycle::State;
use darter_store::{door, port, workspace};
use tokio_util::sync::CancellationToken;

use super::{purge, snapshot, wake};
use crate::Platform;
use crate::app::Steadiness;

/// How often gaps are looked for.
const ROUND: Duration = Duration::from_secs(5);
/// How often old things are looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// Works until `stop`. Whoever keeps a snapshot waiting keeps nothing else.
pub async fn keep_workspaces(platform: Arc<Platform>, stop: CancellationToken) {
    tokio::join!(close_gaps(&platform, &stop), save(&platform, &stop));
}

async fn save(platform: &Arc<Platform>, stop: &CancellationToken) {
    let mut round = tokio::time::interval(SWEEP);
    let rounds = async {
        loop {
            round.tick().await;
            said("making snapshots", snapshot::make_due(platform).await);
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

async fn close_gaps(platform: &Arc<Platform>, stop: &CancellationToken) {
    let mut round = tokio::time::interval(ROUND);
    let mut sweep = tokio::time::interval(SWEEP);
    let mut steadiness = Steadiness::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = round.tick() => said("closing gaps", reconcile(platform).await),
            _ = sweep.tick() => {
                said("removing doors that have closed", close_doors(platform).await);
                // A clock that jumps must not empty the bin.
                if steadiness.look(platform.clock.now(), Instant::now()) {
                    said("removing old workspaces", purge::purge_due(platform).await);
                }
            }
        }
    }
}

fn said<T>(what: &str, result: Result<T, Fault>) {
    if let Err(fault) = result {
        tracing::warn!(%fault, cause = ?fault.cause, "{what} of workspaces failed; it is tried again");
    }
}

/// One round. Returns how many gaps it began to close.
pub async fn reconcile(platform: &Arc<Platform>) -> Result<usize, Fault> {
    let gaps = workspace::gaps(&mut *platform.store.read().await?).await?;
    let mut acted = 0;
    for gap in gaps {
        // The store may be a moment behind the engine.
        let state = platform.workspaces.engine.status(&gap.id).observed.state;
        match (gap.desired, state) {
            (Desired::Awake, State::Stopped) => {
                wake::begin(platform, &gap.id, gap.keep_until);
                acted += 1;
            }
            (
                Desired::Asleep | Desired::Recycled,
                State::Queued | State::Starting | State::Pausing | State::Running | State::Frozen | State::Reclaimed,
            ) => {
                drop(wake::settle(platform, &gap.id, gap.desired));
                acted += 1;
            }
            (Desired::Awake, _) | (Desired::Asleep | Desired::Recycled, _) => {}
        }
    }
    Ok(acted)
}

async fn close_doors(platform: &Platform) -> Result<(), Fault> {
    let now = platform.clock.now();
    let mut tx = platform.store.write().await?;
    door::sweep(&mut tx, now).await?;
    port::sweep(&mut tx, now).await?;
    Ok(tx.commit().await?)
}
