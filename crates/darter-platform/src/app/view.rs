//! An app as the API shows it, with what its caller may do with it now.

use darter_api::app as api;
use darter_core::AppId;
use darter_core::app::AppState;
use darter_core::role::{Action, Decision, can};
use darter_engine::{InstanceState, InstanceStatus};
use darter_store::app::{App, MemberApp};

use crate::Platform;

/// The app's address, without a slash at its end.
pub(crate) fn app_url(platform: &Platform, app: &AppId) -> String {
    platform.config.app_url(app)
}

/// The app for an answer.
pub(crate) fn show(platform: &Platform, member: &MemberApp, day: Option<api::Day>) -> api::App {
    let app = &member.app;
    api::App {
        id: app.id.to_string(),
        name: app.name.clone(),
        state: api::Standing::of(app.state, is_draining(platform, app)),
        role: member.role,
        url: app_url(platform, &app.id),
        functions: member.functions,
        limits: app.limits.clone(),
        actions: actions(member).into_iter().map(str::to_owned).collect(),
        revision: app.revision,
        created_at: app.created_at,
        updated_at: app.updated_at,
        recycled_at: app.recycled_at,
        day,
    }
}

fn is_draining(platform: &Platform, app: &App) -> bool {
    let ends = |instance: &InstanceStatus| instance.state == InstanceState::Stopping;
    app.state == AppState::Stopped && platform.engine.status(&app.id).iter().any(ends)
}

/// What can be done now, by state and by role: no client has to know the rules.
fn actions(member: &MemberApp) -> Vec<&'static str> {
    let editor = can(Some(member.role), Action::Edit) == Decision::Allow;
    let owner = can(Some(member.role), Action::Own) == Decision::Allow;
    let rows: &[(&'static str, bool)] = match member.app.state {
        AppState::Running => {
            &[("stop", false), ("restart", false), ("edit", false), ("rename", true), ("delete", true)]
        }
        AppState::Stopped => &[("start", false), ("edit", false), ("rename", true), ("delete", true)],
        AppState::Recycled => &[("restore", true), ("purge", true)],
    };
    rows.iter().filter(|(_, needs_owner)| if *needs_owner { owner } else { editor }).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use darter_core::role::Role;
    use darter_core::{AccountId, AppId, SystemRandom};

    use super::*;

    #[test]
    fn the_offered_actions_follow_state_and_role() {
        let rows = [
            (AppState::Running, Role::Viewer, vec![]),
            (AppState::Running, Role::Editor, vec!["stop", "restart", "edit"]),
            (AppState::Running, Role::Owner, vec!["stop", "restart", "edit", "rename", "delete"]),
            (AppState::Stopped, Role::Viewer, vec![]),
            (AppState::Stopped, Role::Editor, vec!["start", "edit"]),
            (AppState::Stopped, Role::Owner, vec!["start", "edit", "rename", "delete"]),
            (AppState::Recycled, Role::Viewer, vec![]),
            (AppState::Recycled, Role::Editor, vec![]),
            (AppState::Recycled, Role::Owner, vec!["restore", "purge"]),
        ];
        for (state, role, expected) in rows {
            let app = App {
                id: AppId::generate(&SystemRandom),
                owner: AccountId::generate(1, &SystemRandom),
                name: "x".into(),
                state,
                limits: Default::default(),
                secret: String::new(),
                revision: 1,
                created_at: 1,
                updated_at: 1,
                recycled_at: None,
            };
            assert_eq!(actions(&MemberApp { app, role, functions: 0 }), expected, "{state:?} {role:?}");
        }
    }
}
