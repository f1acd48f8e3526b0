//! Rows of workspaces. `{workspace}` in a path is a workspace that runs, with members of every role.

use serde_json::{Value, json};

use super::Needs::{self, Account, Editor, Owner, Viewer};
use super::{Row, row};

/// Operations that become a stream of messages in both directions.
pub const SOCKETS: &[(&str, &str, Needs)] = &[];

pub fn rows() -> Vec<Row> {
    let none = || Value::Null;
    let binned: &[_] = &[("DELETE", "/workspaces/{workspace}")];
    vec![
        row("workspace.list", "GET /workspaces", Account, none()),
        row("workspace.create", "POST /workspaces", Account, json!({ "name": "Another", "environment": "vscode" })),
        row("workspace.get", "GET /workspaces/{workspace}", Viewer, none()),
        row("workspace.events", "GET /workspaces/{workspace}/events", Viewer, none()),
        row("workspace.update", "PATCH /workspaces/{workspace}", Owner, json!({ "name": "New" })),
        row("workspace.start", "POST /workspaces/{workspace}/start", Editor, json!({})),
        row("workspace.stop", "POST /workspaces/{workspace}/stop", Editor, json!({})),
        row("workspace.restart", "POST /workspaces/{workspace}/restart", Editor, json!({})),
        row("workspace.keep", "POST /workspaces/{workspace}/keep", Editor, json!({})),
        row("workspace.delete", "DELETE /workspaces/{workspace}", Owner, none()),
        Row { before: binned, ..row("workspace.restore", "POST /workspaces/{workspace}/restore", Owner, json!({})) },
        Row { before: binned, ..row("workspace.purge", "DELETE /workspaces/{workspace}/purge", Owner, none()) },
    ]
}
