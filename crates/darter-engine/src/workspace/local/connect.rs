//! The way in: a connection to one of a workspace's doors, for which it is started or thawed.

use std::sync::Arc;
use std::time::Duration;

use darter_core::record::StartPhases;
use darter_core::workspace::lifecycle::{Event, State};
use darter_core::workspace::{Depth, Door};
use darter_core::{Fault, Kind};

use super::Shared;
use super::doors::Inner as InnerDoor;
use super::unit::Unit;
use super::workspace::Workspace;
use crate::workspace::{WorkspaceConnection, WorkspaceLease};

/// Longest wait for a workspace to come up; its queue and its pauses included.
const PATIENCE: Duration = Duration::from_secs(120);
/// A backlog that has no room by then: whoever should accept does not.
const KNOCK: Duration = Duration::from_secs(10);

/// A workspace that has failed is left alone for so long, milliseconds, unless somebody presses start.
const CALM_AFTER_FAILURE: i64 = 15_000;

/// What is wanted of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// It runs as its owner has set it: somebody said so.
    Open,
    /// The same, but it may be a browser that knocks again and again: what has just failed is not tried again for it.
    Knock,
    /// Only the attendant, for a snapshot: nobody is there.
    Errand,
}

/// A connection that is open. Dropping it closes the count.
struct Lease {
    shared: Arc<Shared>,
    workspace: Arc<Workspace>,
    unit: Arc<Unit>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut inner = self.workspace.lock();
        if !super::act::is_of(&inner, &self.unit) {
            return;
        }
        inner.signals.connections = inner.signals.connections.saturating_sub(1);
        if inner.signals.connections == 0 {
            inner.signals.left_at = self.shared.now();
            if inner.errand {
                self.shared.apply_if_taken(&self.workspace, &mut inner, Event::Stop);
            }
        }
        drop(inner);
        self.workspace.nudge.notify_one();
    }
}

impl Shared {
    /// Brings it up and counts a connection. The phases are there when this call waited for something.
    pub(super) async fn lease(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        want: Want,
    ) -> Result<(Arc<Unit>, WorkspaceLease, Option<StartPhases>), Fault> {
        let (since, stops) = {
            let inner = workspace.lock();
            (inner.attempts, inner.stops)
        };
        let mut waited = false;
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut seen = workspace.watch();
            {
                let mut inner = workspace.lock();
                if self.closing.is_cancelled() {
                    return Err(closing());
                }
                if inner.stops != stops {
                    return Err(stopped());
                }
                if let Some((number, fault)) = &inner.failure
                    && *number > since
                    && matches!(inner.life.state, State::Stopped | State::Failed)
                {
                    return Err(fault.clone());
                }
                if want == Want::Knock
                    && inner.life.state == State::Failed
                    && self.now() < inner.since + CALM_AFTER_FAILURE
                    && let Some((_, fault)) = &inner.failure
                {
                    return Err(fault.clone());
                }
                if inner.replacing {
                    return Err(replacing());
                }
                if matches!(inner.life.state, State::Stopped | State::Failed) {
                    inner.attempts += 1;
                    inner.errand = want == Want::Errand;
                    if !inner.errand {
                        self.source.opened(&workspace.id);
                    }
                }
                let asleep = !matches!(inner.life.state, State::Starting | State::Running);
                waited |= asleep;
                if inner.life.state != State::Stopping {
                    self.apply_if_taken(workspace, &mut inner, Event::Wanted);
                }
                if let (State::Starting | State::Running, Some(unit)) = (inner.life.state, inner.unit.clone()) {
                    inner.signals.connections += 1;
                    if want != Want::Errand && inner.errand {
                        inner.errand = false;
                        self.source.opened(&workspace.id);
                        self.tell(workspace, &inner);
                    }
                    let start = inner.start.clone().filter(|_| waited);
                    let lease =
                        Lease { shared: Arc::clone(self), workspace: Arc::clone(workspace), unit: Arc::clone(&unit) };
                    return Ok((unit, WorkspaceLease(Box::new(lease)), start));
                }
                waited = true;
            }
            if tokio::time::timeout_at(until, seen.changed()).await.is_err() {
                return Err(late());
            }
        }
    }

    /// Connects to a door.
    pub(super) async fn connect(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        door: Door,
    ) -> Result<WorkspaceConnection, Fault> {
        let (unit, lease, start) = self.lease(workspace, Want::Knock).await?;
        let knocked = async {
            match door {
                Door::Attendant => unit.attendant.0.knock(InnerDoor::Attendant).await.map_err(unreachable_inside),
                Door::Editor => {
                    self.see_to_editor(workspace, &unit)?;
                    unit.attendant.0.knock(InnerDoor::Editor).await.map_err(unreachable_inside)
                }
                Door::Port(port) => match unit.attendant.port(port).await {
                    Ok(Some(stream)) => Ok(stream),
                    Ok(None) => Err(closed(port)),
                    Err(error) => Err(unreachable_inside(error)),
                },
            }
        };
        let stream =
            tokio::time::timeout(KNOCK, knocked).await.unwrap_or_else(|_| Err(unreachable_inside("no room")))?;
        Ok(WorkspaceConnection { stream, lease, start })
    }

    /// A workspace that was woken up for a snapshot has no editor yet.
    pub(super) fn see_to_editor(self: &Arc<Self>, workspace: &Arc<Workspace>, unit: &Arc<Unit>) -> Result<(), Fault> {
        let inner = workspace.lock();
        if inner.bundle.as_ref().is_some_and(|bundle| bundle.depth == Depth::Light) {
            return Err(Fault::conflict(
                "workspace.light",
                "This workspace opens light: the editor's own server does not run in it. Set it to full to use it.",
            ));
        }
        if !inner.editor.started && inner.editor.crashes == 0 && inner.life.state == State::Running {
            drop(inner);
            let (shared, workspace, unit) = (Arc::clone(self), Arc::clone(workspace), Arc::clone(unit));
            tokio::spawn(async move {
                if let Err(error) = shared.start_editor(&workspace, &unit).await {
                    tracing::warn!(workspace = %workspace.id, %error, "an editor could not be started");
                }
            });
        }
        Ok(())
    }
}

fn closed(port: u16) -> Fault {
    Fault::new(
        Kind::Unavailable,
        "workspace.port_closed",
        format!("Nothing in this workspace listens on port {port}. Start your program, then try again."),
    )
    .with("port", port)
    .retry_after(1)
}

fn unreachable_inside(cause: impl std::fmt::Display) -> Fault {
    Fault::new(
        Kind::Unavailable,
        "workspace.unreachable",
        "The workspace runs but does not answer. Try again; if it stays, restart it.",
    )
    .caused_by(cause)
    .retry_after(2)
}

/// To whoever waited for a workspace that somebody stopped.
pub(super) fn stopped() -> Fault {
    Fault::new(Kind::Unavailable, "workspace.stopped", "The workspace was stopped while it was starting. Try again.")
        .retry_after(1)
}

/// To whoever knocks while a home is put in the place of another.
pub(super) fn replacing() -> Fault {
    Fault::new(
        Kind::Unavailable,
        "workspace.restoring",
        "The files of this workspace are being restored. Try again when that is done.",
    )
    .retry_after(3)
}

fn late() -> Fault {
    Fault::new(
        Kind::Timeout,
        "workspace.start_slow",
        "The workspace takes unusually long to start; it goes on in the background. Try again in a moment.",
    )
    .retry_after(5)
}

fn closing() -> Fault {
    Fault::new(Kind::Unavailable, "server.stopping", "The server is starting or stopping. Try again in a moment.")
        .retry_after(3)
}
