//! Who may do what: one pure decision, used by every use case.

use serde::{Deserialize, Serialize};

/// A member's role in an app, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Editor,
    Owner,
}

/// What somebody wants to do with an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the app, its functions, versions, logs, metrics, names of secrets.
    View,
    /// Change code, publish, run, set variables, secrets and dependencies, start and stop.
    Edit,
    /// Rename, limits, domains, export with secrets' names, delete, members.
    Own,
}

/// What a personal access token may do. A browser session has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// Read everything the account can see.
    Read,
    /// Change apps and their parts.
    Write,
    /// Change the account itself and, for an administrator, the server.
    Admin,
}

/// What a decision says. `Hidden` becomes *not found*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Forbid,
    Hide,
}

/// May somebody with `role` (None: not a member) do `action`?
/// An administrator of the server is not a member of everybody's apps: running a server gives no right to read tenants' code.
pub fn can(role: Option<Role>, action: Action) -> Decision {
    let needed = match action {
        Action::View => Role::Viewer,
        Action::Edit => Role::Editor,
        Action::Own => Role::Owner,
    };
    match role {
        None => Decision::Hide,
        Some(role) if role >= needed => Decision::Allow,
        Some(Role::Viewer | Role::Editor | Role::Owner) => Decision::Forbid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_lower_ones_may_and_more() {
        use Decision::{Allow, Forbid, Hide};
        let rows = [
            (None, [Hide, Hide, Hide]),
            (Some(Role::Viewer), [Allow, Forbid, Forbid]),
            (Some(Role::Editor), [Allow, Allow, Forbid]),
            (Some(Role::Owner), [Allow, Allow, Allow]),
        ];
        for (role, expected) in rows {
            let decided = [Action::View, Action::Edit, Action::Own].map(|action| can(role, action));
            assert_eq!(decided, expected, "{role:?}");
        }
    }
}
