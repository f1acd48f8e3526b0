//! Every operation of the API against everybody: nobody, another tenant, a viewer, an editor, an owner, an administrator of
//! the server who is no member, and an owner's token that only reads. An operation without a row fails.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[path = "authorisation/accounts.rs"]
mod accounts;
#[path = "authorisation/apps.rs"]
mod apps;
#[path = "authorisation/workspaces.rs"]
mod workspaces;

use std::collections::{BTreeMap, BTreeSet};

use darter_testkit::{Answer, Browser, TestPlatform};
use serde_json::{Value, json};

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    Account,
    Administrator,
    Viewer,
    Editor,
    Owner,
}

/// An operation, by its name in the description. `{app}` in a path is an app with a published function `hello`,
/// `{workspace}` a workspace that runs.
pub struct Row {
    pub operation: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub body: Value,
    pub needs: Needs,
    /// What has to be sent to the app or workspace before.
    pub before: &'static [(&'static str, &'static str)],
    /// The body's media type; what is sent as a picture or an archive is none, and refused for that.
    pub kind: &'static str,
    /// Every credential may do it, whatever its scopes.
    pub unscoped: bool,
}

impl Row {
    pub fn as_picture(self) -> Self {
        Self { kind: "image/png", ..self }
    }

    pub fn as_zip(self) -> Self {
        Self { kind: "application/zip", ..self }
    }

    pub fn for_any_token(self) -> Self {
        Self { unscoped: true, ..self }
    }
}

pub fn row(operation: &'static str, request: &'static str, needs: Needs, body: Value) -> Row {
    let (method, path) = request.split_once(' ').unwrap();
    Row { operation, method, path, body, needs, before: &[], kind: "application/json", unscoped: false }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Stranger,
    Viewer,
    Editor,
    Owner,
    Administrator,
    Reader,
}

const EVERYBODY: [Who; 7] =
    [Who::Nobody, Who::Stranger, Who::Viewer, Who::Editor, Who::Owner, Who::Administrator, Who::Reader];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    SignIn,
    Forbidden,
    Hidden,
}

fn expected(row: &Row, who: Who) -> Verdict {
    let rank = |who| match who {
        Who::Viewer => 1,
        Who::Editor => 2,
        Who::Owner | Who::Reader => 3,
        Who::Nobody | Who::Stranger | Who::Administrator => 0,
    };
    let allowed = |allowed| if allowed { Verdict::Allowed } else { Verdict::Forbidden };
    match (row.needs, who) {
        (Needs::Nothing, _) => Verdict::Allowed,
        (_, Who::Nobody) => Verdict::SignIn,
        (_, Who::Reader) if row.method != "GET" && !row.unscoped => Verdict::Forbidden,
        (Needs::Account, _) => Verdict::Allowed,
        (Needs::Administrator, who) => allowed(who == Who::Administrator),
        (Needs::Viewer | Needs::Editor | Needs::Owner, Who::Stranger | Who::Administrator) => Verdict::Hidden,
        (Needs::Viewer, who) => allowed(rank(who) >= 1),
        (Needs::Editor, who) => allowed(rank(who) >= 2),
        (Needs::Owner, who) => allowed(rank(who) >= 3),
    }
}

fn verdict(answer: &Answer) -> Verdict {
    match (answer.status, answer.code()) {
        (401, _) => Verdict::SignIn,
        (403, _) => Verdict::Forbidden,
        (404, "app.not_found" | "workspace.not_found") => Verdict::Hidden,
        _ => Verdict::Allowed,
    }
}

struct World {
    test: TestPlatform,
    people: BTreeMap<&'static str, Browser>,
}

impl World {
    async fn new() -> Self {
        let test = TestPlatform::with(|config| {
            config.apps_per_account = 10_000;
            config.workspaces.per_account = 10_000;
        })
        .await;
        test.workspaces.attends(|_, _| (200, b"{}".to_vec()));
        let operator = test.operator();
        let mut people = BTreeMap::new();
        for name in ["administrator", "stranger", "viewer", "editor", "owner"] {
            let made = operator.create_account((name, None), None, (name == "administrator", true)).await.unwrap();
            people.insert(name, test.browser().with_token(&made.token.unwrap()));
        }
        Self { test, people }
    }

    /// An app with members of every role.
    async fn app(&self) -> String {
        let owner = &self.people["owner"];
        let app = owner.post("/apps", json!({ "name": "Shop" })).await.body["id"].as_str().unwrap().to_owned();
        let source = "export default () => 1";
        owner.post(&format!("/apps/{app}/functions"), json!({ "name": "hello", "source": source })).await;
        let published = owner.post(&format!("/apps/{app}/functions/hello/publish"), json!({})).await;
        assert_eq!(published.status, 200, "{published:?}");
        let mut tx = self.test.platform.store.write().await.unwrap();
        for (name, role) in [("viewer", darter_core::role::Role::Viewer), ("editor", darter_core::role::Role::Editor)] {
            let account = darter_store::account::by_login(&mut tx, name).await.unwrap().unwrap();
            darter_store::member::set(&mut tx, &app.parse().unwrap(), &account.id, role, 1).await.unwrap();
        }
        tx.commit().await.unwrap();
        app
    }

    /// A workspace with members of every role.
    async fn workspace(&self) -> String {
        let body = json!({ "name": "Thesis", "environment": "vscode" });
        let made = self.people["owner"].post("/workspaces", body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["id"].as_str().unwrap().to_owned();
        let mut tx = self.test.platform.store.write().await.unwrap();
        for (name, role) in [("viewer", darter_core::role::Role::Viewer), ("editor", darter_core::role::Role::Editor)] {
            let account = darter_store::account::by_login(&mut tx, name).await.unwrap().unwrap();
            let id = id.parse().unwrap();
            darter_store::workspace_member::set(&mut tx, &id, &account.id, (role, 1)).await.unwrap();
        }
        tx.commit().await.unwrap();
        self.test.platform.settle().await;
        id
    }

    /// The path with the object that it speaks of.
    async fn object(&self, path: &str) -> (&'static str, String) {
        if path.contains("{app}") {
            ("{app}", self.app().await)
        } else if path.contains("{workspace}") {
            ("{workspace}", self.workspace().await)
        } else {
            ("{nothing}", String::new())
        }
    }

    async fn browser(&self, who: Who) -> Browser {
        match who {
            Who::Nobody => self.test.browser(),
            Who::Stranger => self.people["stranger"].clone(),
            Who::Viewer => self.people["viewer"].clone(),
            Who::Editor => self.people["editor"].clone(),
            Who::Owner => self.people["owner"].clone(),
            Who::Administrator => self.people["administrator"].clone(),
            Who::Reader => self.people["owner"].token(&["read"]).await,
        }
    }

    async fn send(&self, row: &Row, who: Who) -> Answer {
        let (place, id) = self.object(row.path).await;
        for (method, path) in row.before {
            let answer = self.people["owner"].call(method, &path.replace(place, &id), None).await;
            assert!(answer.status < 300, "{method} {path}: {answer:?}");
        }
        let browser = self.browser(who).await;
        let request = browser.request(row.method, &format!("/api/v1{}", row.path.replace(place, &id)));
        let request = request.header("if-match", "\"1\"");
        let body = row.body.to_string();
        let request = match (&row.body, row.method) {
            (Value::Null, "GET" | "DELETE") => request.body(axum::body::Body::empty()),
            _ => request.header("content-type", row.kind).body(body.into()),
        };
        browser.send(request.unwrap()).await
    }

    /// A stream of messages needs a connection of its own: returns the status of the upgrade.
    async fn connect(&self, path: &str, who: Who) -> (u16, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.test.router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let template = self.browser(who).await.request("GET", path).body(()).unwrap();
        let mut request = reqwest::Client::new().get(format!("http://{address}{path}"));
        for (name, value) in template.headers().iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        for (name, value) in [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request = request.header(name, value);
        }
        let origin = format!("http://{address}");
        let answer = request.header("origin", origin).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = if status == 101 { String::new() } else { answer.text().await.unwrap() };
        server.abort();
        (status, text)
    }
}

fn rows() -> Vec<Row> {
    accounts::rows().into_iter().chain(apps::rows()).chain(workspaces::rows()).collect()
}

#[test]
fn every_operation_has_a_row_and_every_row_is_an_operation() {
    let document: Value = serde_json::from_str(&darter_http::openapi_json()).unwrap();
    let mut described = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        described.extend(
            item.as_object()
                .unwrap()
                .values()
                .filter_map(|operation| operation["operationId"].as_str().map(str::to_owned)),
        );
    }
    let mut written: BTreeSet<String> = rows().iter().map(|row| row.operation.to_owned()).collect();
    written.extend(sockets().map(|(operation, ..)| (*operation).to_owned()));
    assert_eq!(described, written);
}

async fn check(rows: Vec<Row>) {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for row in rows {
        for who in EVERYBODY {
            let answer = world.send(&row, who).await;
            let (is, should) = (verdict(&answer), expected(&row, who));
            if is != should || answer.status >= 500 && answer.status != 503 {
                wrong.push(format!(
                    "{} for {who:?}: {is:?} ({} {}) instead of {should:?}",
                    row.operation,
                    answer.status,
                    answer.code()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn operations_on_accounts_are_for_those_who_may() {
    check(accounts::rows()).await;
}

#[tokio::test]
async fn operations_on_apps_are_for_those_who_may() {
    check(apps::rows()).await;
}

#[tokio::test]
async fn operations_on_workspaces_are_for_those_who_may() {
    check(workspaces::rows()).await;
}

fn sockets() -> impl Iterator<Item = &'static (&'static str, &'static str, Needs)> {
    apps::SOCKETS.iter().chain(workspaces::SOCKETS)
}

#[tokio::test]
async fn sockets_are_for_those_who_may() {
    let world = World::new().await;
    for (operation, path, needs) in sockets() {
        let (place, id) = world.object(path).await;
        for who in EVERYBODY {
            let (status, text) = world.connect(&path.replace(place, &id), who).await;
            let changes = workspaces::SOCKETS.iter().any(|(one, ..)| one == operation);
            let row = row(operation, if changes { "POST /" } else { "GET /" }, *needs, Value::Null);
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            let code = body["error"]["code"].as_str().unwrap_or_default();
            let is = match (status, code) {
                (101, _) => Verdict::Allowed,
                (401, _) => Verdict::SignIn,
                (403, _) => Verdict::Forbidden,
                (404, "app.not_found" | "workspace.not_found") => Verdict::Hidden,
                _ => panic!("{operation} for {who:?}: {status} {text}"),
            };
            assert_eq!(is, expected(&row, who), "{operation} for {who:?}: {status} {text}");
        }
    }
}
