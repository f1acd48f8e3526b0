//! A home made anew beside the one that is there, in a sandbox of its own, and put in its place by one rename: whoever dies
//! in the middle leaves the old one as it was.
//!
//! The old home is never mounted here: what is in it, damaged or hostile, cannot keep a snapshot from coming back.

use std::sync::Arc;

use darter_core::{Fault, Kind};

use super::Shared;
use super::connect::replacing;
use super::home::Staged;
use super::snapshot::write;
use super::unit::Unit;
use super::workspace::Workspace;
use crate::workspace::{SnapshotStream, WorkspaceBundle};

/// Keeps a workspace closed for as long as it lives.
struct Closed<'a>(&'a Workspace);

impl<'a> Closed<'a> {
    fn new(workspace: &'a Workspace) -> Result<Self, Fault> {
        let mut inner = workspace.lock();
        if std::mem::replace(&mut inner.replacing, true) {
            return Err(replacing());
        }
        Ok(Self(workspace))
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().replacing = false;
        self.0.changed();
    }
}

impl Shared {
    /// Ends what runs, makes a home of the stream, and puts it in the place of the one that is there.
    pub(super) async fn replace(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        files: SnapshotStream,
    ) -> Result<(), Fault> {
        let bundle = self.source.load(&workspace.id).await?;
        let _closed = Closed::new(workspace)?;
        self.stop(workspace).await?;
        let unit = self.unit_for(&bundle).await?;
        self.make_home(&bundle, (unit, files)).await
    }

    /// Makes a home of a stream in a sandbox that is used for nothing else, and puts it where a workspace's own belongs.
    pub(super) async fn make_home(
        &self,
        bundle: &WorkspaceBundle,
        (unit, files): (Unit, SnapshotStream),
    ) -> Result<(), Fault> {
        let staged = self.homes.stage(&bundle.id, bundle.limits.disk_bytes).await.map_err(no_room)?;
        let filled = fill(&unit, bundle, (&staged, files)).await;
        // The home is written out and free once this returns.
        unit.sandbox.kill().await;
        filled?;
        self.homes.put(&bundle.id, staged).await.map_err(no_room)
    }

    /// A sandbox of its environment, when it is its owner's turn.
    pub(super) async fn unit_for(self: &Arc<Self>, bundle: &WorkspaceBundle) -> Result<Unit, Fault> {
        let environment = self.environments.installed(&bundle.environment).await?;
        let _turn = self.starts.enter(&bundle.owner).map_err(super::words::queue_full)?.wait(|_| ()).await;
        self.pool.build(&environment).await.map_err(broken)
    }
}

async fn fill(unit: &Unit, bundle: &WorkspaceBundle, (staged, files): (&Staged, SnapshotStream)) -> Result<(), Fault> {
    unit.set_walls(&bundle.limits).map_err(broken)?;
    unit.sandbox.attach(vec![staged.bind()]).await.map_err(broken)?;
    write(unit, files).await
}

fn broken(cause: impl std::fmt::Display) -> Fault {
    let message = "The platform could not make a sandbox to restore the files in, so nothing has changed. Try again; if it stays, tell the operator of this server.";
    Fault::new(Kind::Unavailable, "workspace.start_failed", message).retry_after(5).caused_by(cause)
}

/// A disk that is full is told as such.
pub(super) fn no_room(error: std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::StorageFull {
        let message = "The server's disk is full, so nothing has changed. Ask its operator to make room.";
        return Fault::new(Kind::Unavailable, "server.disk_full", message).retry_after(60);
    }
    Fault::internal(error)
}
