//! Rows of apps and what belongs to them.

use serde_json::{Value, json};

use super::Needs::{self, Account, Editor, Owner, Viewer};
use super::{Row, row};

/// Operations that become a stream of messages in both directions.
pub const SOCKETS: &[(&str, &str, Needs)] = &[("language.connect", "/api/v1/apps/{app}/lsp", Viewer)];

pub fn rows() -> Vec<Row> {
    let none = || Value::Null;
    let value = || json!({ "value": "v" });
    vec![
        row("app.list", "GET /apps", Account, none()),
        row("app.create", "POST /apps", Account, json!({ "name": "Another" })),
        row("app.import", "POST /apps/import", Account, none()).as_zip(),
        row("app.get", "GET /apps/{app}", Viewer, none()),
        row("app.update", "PATCH /apps/{app}", Owner, json!({ "name": "New" })),
        row("app.delete", "DELETE /apps/{app}", Owner, none()),
        row("app.start", "POST /apps/{app}/start", Editor, json!({})),
        row("app.stop", "POST /apps/{app}/stop", Editor, json!({})),
        row("app.restart", "POST /apps/{app}/restart", Editor, json!({})),
        Row {
            before: &[("DELETE", "/apps/{app}")],
            ..row("app.restore", "POST /apps/{app}/restore", Owner, json!({}))
        },
        Row { before: &[("DELETE", "/apps/{app}")], ..row("app.purge", "DELETE /apps/{app}/purge", Owner, none()) },
        row("app.export", "GET /apps/{app}/export", Owner, none()),
        row("app.instances", "GET /apps/{app}/instances", Viewer, none()),
        row("app.members", "GET /apps/{app}/members", Viewer, none()),
        row("audit.app", "GET /apps/{app}/audit", Owner, none()),
        row("domain.list", "GET /apps/{app}/domains", Viewer, none()),
        row("domain.create", "POST /apps/{app}/domains", Owner, json!({ "host": "a.example" })),
        row("domain.delete", "DELETE /apps/{app}/domains/a.example", Owner, none()),
        row("domain.verify", "POST /apps/{app}/domains/a.example/verify", Owner, json!({})),
        row("function.list", "GET /apps/{app}/functions", Viewer, none()),
        row("function.create", "POST /apps/{app}/functions", Editor, json!({ "name": "new" })),
        row("function.get", "GET /apps/{app}/functions/hello", Viewer, none()),
        row("function.update", "PATCH /apps/{app}/functions/hello", Editor, json!({ "description": "d" })),
        row("function.delete", "DELETE /apps/{app}/functions/hello", Editor, none()),
        row("function.publish", "POST /apps/{app}/functions/hello/publish", Editor, json!({})),
        row("function.versions", "GET /apps/{app}/functions/hello/versions", Viewer, none()),
        row("function.version", "GET /apps/{app}/functions/hello/versions/1", Viewer, none()),
        row("function.diff", "GET /apps/{app}/functions/hello/diff?from=0&to=1", Viewer, none()),
        row("function.rollback", "POST /apps/{app}/functions/hello/rollback", Editor, json!({ "version": 1 })),
        row("function.run", "POST /apps/{app}/functions/hello/run", Editor, json!({})),
        row("variable.list", "GET /apps/{app}/environment", Viewer, none()),
        row("variable.set", "PUT /apps/{app}/environment/A", Editor, value()),
        row("variable.delete", "DELETE /apps/{app}/environment/A", Editor, none()),
        row("secret.list", "GET /apps/{app}/secrets", Viewer, none()),
        row("secret.set", "PUT /apps/{app}/secrets/A", Editor, value()),
        row("secret.delete", "DELETE /apps/{app}/secrets/A", Editor, none()),
        row("dependency.get", "GET /apps/{app}/dependencies", Viewer, none()),
        row("dependency.set", "PUT /apps/{app}/dependencies", Editor, json!({ "packages": {} })),
        row("dependency.search", "GET /apps/{app}/dependencies/search?text=zod", Editor, none()),
        row("dependency.cancel", "DELETE /apps/{app}/dependencies/install", Editor, none()),
        row("dependency.events", "GET /apps/{app}/dependencies/install/events", Viewer, none()),
        row("log.search", "GET /apps/{app}/logs", Viewer, none()),
        row("log.tail", "GET /apps/{app}/logs/stream", Viewer, none()),
        row("metrics.get", "GET /apps/{app}/metrics", Viewer, none()),
        row("language.typings", "GET /apps/{app}/typings", Viewer, none()),
    ]
}
