//! Carries out what the machine says: every event of a workspace's life passes through here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use darter_core::record::StartPhases;
use darter_core::workspace::lifecycle::{Action, Event, Refused, State};

use super::Shared;
use super::unit::Unit;
use super::workspace::{Inner, Workspace};
use crate::local::slot::micros;

impl Shared {
    /// Applies an event under the workspace's lock and sets its consequences in motion. Refused: nothing has changed.
    pub(super) fn apply(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        inner: &mut Inner,
        event: Event,
    ) -> Result<(), Refused> {
        let (before, errand) = (inner.life.state, inner.errand);
        let action = inner.apply(event, self.now())?;
        match action {
            None | Some(Action::Build) => {}
            Some(Action::Enqueue) => self.begin(workspace, inner),
            Some(Action::Dequeue) => inner.cancel.cancel(),
            Some(Action::Freeze) => self.freeze(workspace, inner),
            Some(Action::Thaw) => self.thaw(inner),
            Some(Action::Reclaim) => self.reclaim(workspace, inner),
            Some(Action::End) => self.end(workspace, inner),
            Some(Action::Bury) => inner.bury(),
            Some(Action::GiveUp) => {
                inner.failure = Some((inner.attempts, super::words::failed(inner.trouble.as_ref())));
                inner.bury();
            }
            Some(Action::Retry { pause_ms }) => {
                inner.bury();
                self.pause(workspace, pause_ms);
            }
        }
        if inner.life.state != before {
            tracing::info!(workspace = %workspace.id, from = ?before, to = ?inner.life.state, ?event, "workspace.state");
            // Its end is its errand's, too, although nothing of it is left.
            if !errand {
                self.source.observed(&workspace.id, inner.observed());
            }
        }
        workspace.changed();
        Ok(())
    }

    /// As [`Shared::apply`], for events that may have been overtaken by others.
    pub(super) fn apply_if_taken(self: &Arc<Self>, workspace: &Arc<Workspace>, inner: &mut Inner, event: Event) {
        if let Err(refused) = self.apply(workspace, inner, event) {
            tracing::debug!(workspace = %workspace.id, %refused, "overtaken");
        }
    }

    fn pause(self: &Arc<Self>, workspace: &Arc<Workspace>, pause_ms: u64) {
        let (shared, workspace) = (Arc::clone(self), Arc::clone(workspace));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let mut inner = workspace.lock();
            if inner.life.state == State::Pausing {
                shared.apply_if_taken(&workspace, &mut inner, Event::PauseOver);
            }
        });
    }

    /// Somebody may come while the processes come to rest: then they go on.
    fn freeze(self: &Arc<Self>, workspace: &Arc<Workspace>, inner: &Inner) {
        let Some(unit) = inner.unit.clone() else { return };
        if unit.freezing.swap(true, Ordering::AcqRel) {
            return;
        }
        let workspace = Arc::clone(workspace);
        tokio::spawn(async move {
            let frozen = unit.sandbox.freeze().await;
            // Under the lock, so that whoever thaws does it before we look or after us.
            let inner = workspace.lock();
            unit.freezing.store(false, Ordering::Release);
            let asleep = matches!(inner.life.state, State::Frozen | State::Reclaimed);
            if !(asleep && is_of(&inner, &unit)) {
                thaw_or_kill(&unit);
            }
            drop(inner);
            if let Err(error) = frozen
                && unit.sandbox.ended().is_none()
            {
                tracing::warn!(workspace = %workspace.id, %error, "a workspace did not come to rest");
            }
        });
    }

    /// One write.
    fn thaw(&self, inner: &mut Inner) {
        let Some(unit) = &inner.unit else { return };
        let begun = Instant::now();
        thaw_or_kill(unit);
        inner.signals.woken_at = self.now();
        inner.signals.resting_from = None;
        inner.start =
            Some(StartPhases { from: "frozen".into(), phases: vec![("thaw".into(), micros(begun.elapsed()))] });
    }

    fn reclaim(self: &Arc<Self>, workspace: &Arc<Workspace>, inner: &Inner) {
        let Some(unit) = inner.unit.clone() else { return };
        let workspace = Arc::clone(workspace);
        tokio::spawn(async move {
            match unit.sandbox.reclaim().await {
                Ok(reclaimed) => tracing::debug!(workspace = %workspace.id, ?reclaimed, "reclaimed"),
                Err(error) => tracing::debug!(workspace = %workspace.id, %error, "reclaiming failed"),
            }
        });
    }
}

/// This unit is still the workspace's.
pub(super) fn is_of(inner: &Inner, unit: &Arc<Unit>) -> bool {
    inner.unit.as_ref().is_some_and(|own| Arc::ptr_eq(own, unit))
}

/// A sandbox that cannot be thawed is of no use; its supervisor sees the end.
fn thaw_or_kill(unit: &Arc<Unit>) {
    if let Err(error) = unit.sandbox.thaw()
        && unit.sandbox.ended().is_none()
    {
        tracing::warn!(%error, "a workspace could not be thawed; it is started anew");
        let unit = Arc::clone(unit);
        tokio::spawn(async move { unit.sandbox.kill().await });
    }
}
