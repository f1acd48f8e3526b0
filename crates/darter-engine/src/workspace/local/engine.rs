//! The contract, fulfilled by this machine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use darter_core::record::StartPhases;
use darter_core::workspace::Door;
use darter_core::workspace::lifecycle::{Event, State};
use darter_core::{Fault, Millis, WorkspaceId};
use futures_util::future::join_all;

use super::connect::{Want, stopped};
use super::replace::no_room;
use super::start::answers;
use super::workspace::{Inner, Workspace};
use super::{LocalWorkspaces, Shared};
use crate::workspace::{
    Signal, SnapshotIndex, SnapshotStream, WorkspaceConnection, WorkspaceStatus, WorkspaceUsage, Workspaces,
};

#[async_trait]
impl Workspaces for LocalWorkspaces {
    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<WorkspaceConnection, Fault> {
        let workspace = self.shared.workspace(id);
        self.shared.connect(&workspace, door).await
    }

    async fn start(&self, id: &WorkspaceId) -> Result<StartPhases, Fault> {
        let workspace = self.shared.workspace(id);
        let (unit, lease, _) = self.shared.lease(&workspace, Want::Open).await?;
        let phases = self.shared.until_ready(&workspace).await?;
        // Up for a snapshot until now: its editor starts only here. A light one has none, and that is no fault.
        if self.shared.see_to_editor(&workspace, &unit).is_ok() {
            let patience = Duration::from_millis(self.shared.config.ready_timeout_ms);
            // One that does not answer is told of by its status.
            let _ = tokio::time::timeout(patience, answers(&unit)).await;
        }
        drop(lease);
        Ok(phases)
    }

    async fn stop(&self, id: &WorkspaceId) -> Result<(), Fault> {
        let Some(workspace) = self.shared.workspaces.get(id).map(|found| Arc::clone(&found)) else { return Ok(()) };
        self.shared.stop(&workspace).await
    }

    fn has_home(&self, id: &WorkspaceId) -> bool {
        self.shared.homes.has(id)
    }

    fn status(&self, id: &WorkspaceId) -> WorkspaceStatus {
        let known = self.shared.workspaces.get(id).map(|found| Arc::clone(&found));
        // Nothing is held for one that nobody has ever wanted.
        self.shared.status(&known.unwrap_or_else(|| Workspace::new(id.clone(), self.shared.now())))
    }

    fn touch(&self, id: &WorkspaceId, signal: Signal) {
        let Some(workspace) = self.shared.workspaces.get(id).map(|found| Arc::clone(&found)) else { return };
        self.shared.touch(&workspace, signal);
    }

    fn keep_until(&self, id: &WorkspaceId, until: Option<Millis>) {
        let workspace = self.shared.workspace(id);
        workspace.lock().signals.keep_until = until;
        workspace.nudge.notify_one();
    }

    async fn refresh(&self, id: &WorkspaceId) -> Result<(), Fault> {
        self.shared.refresh(&self.shared.workspace(id)).await
    }

    async fn export(&self, id: &WorkspaceId, since: Option<SnapshotIndex>) -> Result<SnapshotStream, Fault> {
        let workspace = self.shared.workspace(id);
        self.shared.export(&workspace, since).await
    }

    async fn replace(&self, id: &WorkspaceId, files: SnapshotStream) -> Result<(), Fault> {
        let workspace = self.shared.workspace(id);
        self.shared.replace(&workspace, files).await
    }

    async fn import(&self, id: &WorkspaceId, files: SnapshotStream) -> Result<(), Fault> {
        let workspace = self.shared.workspace(id);
        self.shared.import(&workspace, files).await
    }

    async fn copy_home(&self, from: &WorkspaceId, to: &WorkspaceId) -> Result<(), Fault> {
        self.shared.homes.copy(from, to).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::ResourceBusy => Fault::conflict(
                "workspace.awake",
                "The home is in use. Stop the workspace first, or clone it from a snapshot.",
            ),
            std::io::ErrorKind::AlreadyExists => {
                Fault::conflict("workspace.home_exists", "The new workspace has a home already.")
            }
            // It was never started: the new one gets an empty home of its own.
            std::io::ErrorKind::NotFound => {
                Fault::not_found("workspace.home_missing", "This workspace has no files yet.")
            }
            std::io::ErrorKind::Unsupported => Fault::conflict("workspace.home_is_folder", error.to_string()),
            _ => no_room(error),
        })
    }

    async fn forget(&self, id: &WorkspaceId) -> Result<(), Fault> {
        self.stop(id).await?;
        self.shared.workspaces.remove(id);
        self.shared.meters.remove(id);
        self.shared.homes.forget(id).await.map_err(Fault::internal)
    }

    async fn shutdown(&self, grace_ms: u64) {
        self.shared.closing.cancel();
        self.shared.pool.close();
        let all: Vec<Arc<Workspace>> = self.shared.workspaces.iter().map(|entry| Arc::clone(entry.value())).collect();
        let ending = join_all(all.iter().map(|workspace| self.shared.stop(workspace)));
        // What is left then ends with the launcher; homes replay their journal.
        let _ = tokio::time::timeout(Duration::from_millis(grace_ms), ending).await;
    }
}

impl Shared {
    /// Takes over what may change while a workspace runs. One that is starting takes it once its doors are open.
    pub(super) async fn refresh(&self, workspace: &Arc<Workspace>) -> Result<(), Fault> {
        {
            let mut inner = workspace.lock();
            if inner.unit.is_none() {
                inner.stale = true;
                return Ok(());
            }
        }
        let bundle = self.source.load(&workspace.id).await?;
        let mut inner = workspace.lock();
        if let Some(unit) = &inner.unit {
            unit.set_walls(&bundle.limits).map_err(|error| refused(&error))?;
            // What takes effect with the next start stays as it is until then.
            inner.bundle = inner.bundle.take().map(|running| crate::workspace::WorkspaceBundle {
                limits: bundle.limits,
                rest: bundle.rest,
                ..running
            });
        }
        drop(inner);
        workspace.nudge.notify_one();
        Ok(())
    }

    /// Thaws what is frozen: for a person, or for as long as an answer takes.
    fn touch(self: &Arc<Self>, workspace: &Arc<Workspace>, signal: Signal) {
        let mut inner = workspace.lock();
        let (now, before) = (self.now(), inner.signals);
        let frozen = matches!(inner.life.state, State::Frozen | State::Reclaimed);
        match signal {
            Signal::Input => inner.input(now),
            Signal::Spoke => {
                inner.signals.spoken_at = Some(now);
                if !frozen {
                    return;
                }
            }
        }
        if frozen {
            self.apply_if_taken(workspace, &mut inner, Event::Wanted);
        }
        if signal == Signal::Spoke {
            inner.signals.woken_at = before.woken_at;
            inner.signals.resting_from = before.resting_from;
            inner.signals.answered_at = Some(now);
        }
        drop(inner);
        workspace.nudge.notify_one();
    }

    /// Waits until it runs as wanted, or cannot.
    async fn until_ready(self: &Arc<Self>, workspace: &Arc<Workspace>) -> Result<StartPhases, Fault> {
        loop {
            let mut seen = workspace.watch();
            {
                let inner = workspace.lock();
                match inner.life.state {
                    State::Running => return Ok(inner.start.clone().unwrap_or_default()),
                    State::Starting | State::Queued | State::Pausing | State::Frozen | State::Reclaimed => {}
                    State::Stopping => return Err(stopped()),
                    State::Stopped | State::Failed => {
                        let failure = inner.failure.as_ref().map(|(_, fault)| fault.clone());
                        return Err(failure.unwrap_or_else(stopped));
                    }
                }
            }
            // The sender lives as long as the workspace that we hold.
            let _ = seen.changed().await;
        }
    }

    fn status(&self, workspace: &Workspace) -> WorkspaceStatus {
        let inner = workspace.lock();
        WorkspaceStatus {
            observed: inner.observed(),
            next: inner.next(self.freezer()),
            keep_until: inner.signals.keep_until,
            input_at: (inner.signals.input_at > 0).then_some(inner.signals.input_at),
            connections: inner.signals.connections,
            jobs: inner.seen.jobs.clone(),
            ports: inner.seen.ports.clone(),
            terminals: inner.seen.terminals,
            usage: usage(&inner),
            egress: self.meters.get(&workspace.id).map_or((0, 0), |meter| meter.bytes()),
        }
    }
}

fn usage(inner: &Inner) -> Option<WorkspaceUsage> {
    let unit = inner.unit.as_ref()?;
    // One that has just ended uses nothing.
    let usage = unit.sandbox.usage().unwrap_or_default();
    let limit = inner.bundle.as_ref().map_or(0, |bundle| bundle.limits.disk_bytes);
    Some(WorkspaceUsage {
        cpu_usec: usage.cpu_usec,
        memory_bytes: usage.memory,
        memory_peak_bytes: usage.memory_peak,
        pids: usage.pids,
        disk_bytes: inner.seen.disk.0,
        disk_limit_bytes: if inner.seen.disk.1 > 0 { inner.seen.disk.1 } else { limit },
        out_of_memory: unit.sandbox.oom_kills(),
    })
}

fn refused(error: &darter_sandbox::SandboxError) -> Fault {
    Fault::conflict(
        "workspace.limit_too_low",
        "The new limits are below what the workspace uses now. Close something in it, or stop it first.",
    )
    .caused_by(error)
}
