//! The door of every use case about a workspace: open a transaction, find the workspace, decide.
//!
//! Another tenant's workspace is *not found*, whatever is asked of it. Only this file says who may do what with one. An
//! editor is a shell: to see a workspace's state is a viewer's right, to enter it an editor's.

use darter_core::role::{Action, Decision, Role, TokenScope, can};
use darter_core::workspace::{Desired, desired};
use darter_core::{Fault, WorkspaceId};
use darter_store::Tx;
use darter_store::workspace::{self, MemberWorkspace};

use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// A workspace that somebody may do something with, inside a transaction.
pub(crate) struct Opened<'a> {
    pub tx: Tx,
    pub found: MemberWorkspace,
    actor: &'a Actor,
}

/// What the answer to a stranger is, and to a member of a workspace that is gone.
pub(crate) fn not_found() -> Fault {
    Fault::not_found(
        "workspace.not_found",
        "There is no workspace with this id, or you are not a member of it. Check the id and which account you use.",
    )
}

impl<'a> Opened<'a> {
    /// Opens a workspace for looking at it.
    pub async fn read(platform: &Platform, actor: &'a Actor, id: &WorkspaceId) -> Result<Self, Fault> {
        let tx = platform.store.read().await?;
        Self::decide(tx, actor, id, (Action::View, TokenScope::Read)).await
    }

    /// Opens a workspace that is not in the recycle bin for what only this right may see or use.
    pub async fn read_as(
        platform: &Platform,
        actor: &'a Actor,
        id: &WorkspaceId,
        right: (Action, TokenScope),
    ) -> Result<Self, Fault> {
        let tx = platform.store.read().await?;
        Self::decide(tx, actor, id, right).await?.not_recycled()
    }

    /// Opens a workspace, in whatever state, for a change that needs this right.
    pub async fn write(platform: &Platform, actor: &'a Actor, id: &WorkspaceId, action: Action) -> Result<Self, Fault> {
        let tx = platform.store.write().await?;
        Self::decide(tx, actor, id, (action, TokenScope::Write)).await
    }

    /// The same, when it is not in the recycle bin.
    pub fn not_recycled(self) -> Result<Self, Fault> {
        match self.found.workspace.desired {
            Desired::Awake | Desired::Asleep => Ok(self),
            Desired::Recycled => Err(desired::recycled()),
        }
    }

    async fn decide(
        mut tx: Tx,
        actor: &'a Actor,
        id: &WorkspaceId,
        (action, scope): (Action, TokenScope),
    ) -> Result<Self, Fault> {
        let account = actor.require(scope)?.clone();
        let found = workspace::lookup(&mut tx, &account, id).await?;
        match (can(found.as_ref().map(|found| found.role), action), found) {
            (Decision::Allow, Some(found)) => Ok(Self { tx, found, actor }),
            (Decision::Forbid, Some(found)) => Err(role_too_low(found.role)),
            (Decision::Hide, _) | (_, None) => Err(not_found()),
        }
    }

    /// Writes the changed row, and who changed it. Fails when somebody else was quicker.
    pub async fn save(
        &mut self,
        platform: &Platform,
        (operation, details): (&'static str, serde_json::Value),
    ) -> Result<(), Fault> {
        let row = &mut self.found.workspace;
        row.revision += 1;
        // Never before a wish that was made without a revision, whatever the clock says.
        row.updated_at = platform.clock.now().max(row.updated_at);
        if !workspace::update(&mut self.tx, row).await? {
            return Err(stale(row.revision));
        }
        self.audit(operation, "", details).await
    }

    /// Writes who did this into the same transaction. `object` is what it was done to, after the workspace's id.
    pub async fn audit(
        &mut self,
        operation: &'static str,
        object: &str,
        details: serde_json::Value,
    ) -> Result<(), Fault> {
        let id = &self.found.workspace.id;
        let object = if object.is_empty() { id.to_string() } else { format!("{id}/{object}") };
        record(&mut self.tx, self.actor, Change::of(operation, object, details)).await
    }
}

fn role_too_low(role: Role) -> Fault {
    let word = match role {
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Owner => "owner",
    };
    let message = format!("Your role in this workspace ({word}) does not allow this. Ask its owner.");
    Fault::forbidden("workspace.role_too_low", message)
}

/// The answer to a change of something that was changed since it was read.
pub(crate) fn stale(revision: i64) -> Fault {
    Fault::new(
        darter_core::Kind::Stale,
        "workspace.stale",
        "Somebody else changed this workspace since you read it. Load it again, then make your change.",
    )
    .with("revision", revision)
}
