//! The door of every use case about an app: open a transaction, find the app, decide.
//!
//! Another tenant's app is *not found*, whatever is asked of it. Only this file says who may do what with an app.

use darter_core::app::AppState;
use darter_core::role::{Action, Decision, TokenScope, can};
use darter_core::{AccountId, AppId, Fault};
use darter_store::Tx;
use darter_store::app::{self, MemberApp};

use crate::{Actor, Platform};

/// An app that somebody may do something with, inside a transaction.
pub(crate) struct Opened<'a> {
    pub tx: Tx,
    pub app: MemberApp,
    pub account: AccountId,
    actor: &'a Actor,
}

/// What the answer to a stranger is, and to a member of an app that is gone.
pub(crate) fn app_not_found() -> Fault {
    Fault::not_found(
        "app.not_found",
        "There is no app with this id, or you are not a member of it. Check the id and which account you use.",
    )
}

impl<'a> Opened<'a> {
    /// Opens an app for reading.
    pub async fn read(platform: &Platform, actor: &'a Actor, app: &AppId) -> Result<Self, Fault> {
        let tx = platform.store.read().await?;
        Self::decide(tx, actor, app, (Action::View, TokenScope::Read)).await
    }

    /// Opens an app for changing its parts: code, settings of the environment, its state.
    pub async fn edit(platform: &Platform, actor: &'a Actor, app: &AppId) -> Result<Self, Fault> {
        Self::write(platform, actor, app, Action::Edit).await?.not_recycled()
    }

    /// Opens an app, in whatever state, for a change that needs this right.
    pub async fn write(platform: &Platform, actor: &'a Actor, app: &AppId, action: Action) -> Result<Self, Fault> {
        let tx = platform.store.write().await?;
        Self::decide(tx, actor, app, (action, TokenScope::Write)).await
    }

    /// Opens an app for reading something that only those with this right may read.
    pub async fn read_as(platform: &Platform, actor: &'a Actor, app: &AppId, action: Action) -> Result<Self, Fault> {
        let tx = platform.store.read().await?;
        Self::decide(tx, actor, app, (action, TokenScope::Read)).await
    }

    /// Opens an app for reading what is about to be changed, with the rights and the state that the change needs.
    pub async fn read_to_edit(platform: &Platform, actor: &'a Actor, app: &AppId) -> Result<Self, Fault> {
        let tx = platform.store.read().await?;
        let opened = Self::decide(tx, actor, app, (Action::Edit, TokenScope::Write)).await?;
        opened.not_recycled()
    }

    fn not_recycled(self) -> Result<Self, Fault> {
        match self.app.app.state {
            AppState::Running | AppState::Stopped => Ok(self),
            AppState::Recycled => {
                Err(Fault::conflict("app.recycled", "This app is in the recycle bin. Restore it first."))
            }
        }
    }

    async fn decide(
        mut tx: Tx,
        actor: &'a Actor,
        id: &AppId,
        (action, scope): (Action, TokenScope),
    ) -> Result<Self, Fault> {
        let account = actor.require(scope)?.clone();
        let found = app::lookup(&mut tx, &account, id).await?;
        match (can(found.as_ref().map(|app| app.role), action), found) {
            (Decision::Allow, Some(app)) => Ok(Self { tx, app, account, actor }),
            (Decision::Forbid, Some(app)) => Err(Fault::forbidden(
                "app.role_too_low",
                format!("Your role in this app ({}) does not allow this. Ask an owner of the app.", word(app.role)),
            )),
            (Decision::Hide, _) | (_, None) => Err(app_not_found()),
        }
    }

    pub fn id(&self) -> &AppId {
        &self.app.app.id
    }

    /// Writes who did this into the same transaction. `object` is what it was done to, after the app's id.
    pub async fn audit(
        &mut self,
        operation: &'static str,
        object: &str,
        details: serde_json::Value,
    ) -> Result<(), Fault> {
        let id = self.app.app.id.clone();
        let object = if object.is_empty() { id.to_string() } else { format!("{id}/{object}") };
        crate::audit::record(
            &mut self.tx,
            self.actor,
            crate::audit::Change { operation, object, app: Some(&id), details },
        )
        .await
    }
}

fn word(role: darter_core::role::Role) -> &'static str {
    match role {
        darter_core::role::Role::Viewer => "viewer",
        darter_core::role::Role::Editor => "editor",
        darter_core::role::Role::Owner => "owner",
    }
}
