//! Rows of workspaces. `{workspace}` in a path is a workspace that runs, with members of every role.

use serde_json::{Value, json};

use super::Needs::{self, Account, Administrator, Editor, Owner, Viewer};
use super::{Row, row};

/// Operations that become a stream of messages in both directions. A shell changes things: a token that reads is too little.
pub const SOCKETS: &[(&str, &str, Needs)] = &[
    ("workspace.terminal", "/api/v1/workspaces/{workspace}/terminal", Editor),
    ("workspace.exec", "/api/v1/workspaces/{workspace}/exec", Editor),
];

pub fn rows() -> Vec<Row> {
    let none = || Value::Null;
    let binned: &[_] = &[("DELETE", "/workspaces/{workspace}")];
    vec![
        row("language.list", "GET /languages", Account, none()),
        row("run.create", "POST /runs", Account, json!({ "language": "python", "source": "print(1)" })),
        row("environment.list", "GET /environments", Account, none()),
        row("environment.get", "GET /environments/vscode", Account, none()),
        row("environment.events", "GET /environments/vscode/events", Account, none()),
        row("environment.install", "POST /environments/vscode/install", Administrator, json!({})),
        row("environment.verify", "POST /environments/vscode/verify", Administrator, json!({})),
        row("environment.remove", "DELETE /environments/vscode", Administrator, none()),
        row("workspace.list", "GET /workspaces", Account, none()),
        row("workspace.create", "POST /workspaces", Account, json!({ "name": "Another", "environment": "vscode" })),
        row("workspace.get", "GET /workspaces/{workspace}", Viewer, none()),
        row("workspace.events", "GET /workspaces/{workspace}/events", Viewer, none()),
        row("workspace.update", "PATCH /workspaces/{workspace}", Owner, json!({ "name": "New" })),
        row("workspace.start", "POST /workspaces/{workspace}/start", Editor, json!({})),
        row("workspace.stop", "POST /workspaces/{workspace}/stop", Editor, json!({})),
        row("workspace.restart", "POST /workspaces/{workspace}/restart", Editor, json!({})),
        row("workspace.keep", "POST /workspaces/{workspace}/keep", Editor, json!({})),
        row("workspace.open", "POST /workspaces/{workspace}/open", Editor, json!({})),
        row("workspace.clone", "POST /workspaces/{workspace}/clone", Editor, json!({ "name": "Copy" })),
        row("file.read", "GET /workspaces/{workspace}/files?path=/a", Editor, none()),
        row("file.write", "PUT /workspaces/{workspace}/files?path=/a", Editor, none()),
        row("file.change", "POST /workspaces/{workspace}/files", Editor, json!({ "operation": "mkdir", "path": "/a" })),
        row("file.list", "GET /workspaces/{workspace}/folder?path=/a", Editor, none()),
        row("file.archive", "GET /workspaces/{workspace}/archive?path=/a", Editor, none()),
        row("file.unpack", "PUT /workspaces/{workspace}/archive?path=/a", Editor, none()),
        row("snapshot.list", "GET /workspaces/{workspace}/snapshots", Viewer, none()),
        row("snapshot.create", "POST /workspaces/{workspace}/snapshots", Editor, json!({})),
        row("snapshot.get", "GET /workspaces/{workspace}/snapshots/snap_00000000000000000000000000", Viewer, none()),
        row(
            "snapshot.folder",
            "GET /workspaces/{workspace}/snapshots/snap_00000000000000000000000000/folder",
            Editor,
            none(),
        ),
        row(
            "snapshot.read",
            "GET /workspaces/{workspace}/snapshots/snap_00000000000000000000000000/files",
            Editor,
            none(),
        ),
        row(
            "snapshot.restore",
            "POST /workspaces/{workspace}/snapshots/snap_00000000000000000000000000/restore",
            Editor,
            json!({}),
        ),
        row(
            "snapshot.delete",
            "DELETE /workspaces/{workspace}/snapshots/snap_00000000000000000000000000",
            Owner,
            none(),
        ),
        row("port.list", "GET /workspaces/{workspace}/ports", Viewer, none()),
        row("port.set", "PUT /workspaces/{workspace}/ports/3000", Owner, json!({ "visibility": "public" })),
        row("port.reset", "DELETE /workspaces/{workspace}/ports/3000", Owner, none()),
        row("port.share", "POST /workspaces/{workspace}/ports/3000/shares", Owner, json!({})),
        row("port.shares", "GET /workspaces/{workspace}/shares", Owner, none()),
        row("port.unshare", "DELETE /workspaces/{workspace}/shares/shr_00000000000000000000000000", Owner, none()),
        row("workspace.delete", "DELETE /workspaces/{workspace}", Owner, none()),
        Row { before: binned, ..row("workspace.restore", "POST /workspaces/{workspace}/restore", Owner, json!({})) },
        Row { before: binned, ..row("workspace.purge", "DELETE /workspaces/{workspace}/purge", Owner, none()) },
    ]
}
