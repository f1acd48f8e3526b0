//! Who may not, and what may not be sent: every operation on apps against everybody, and the table of bad input.

use serde_json::{Value, json};

use crate::world::{Person, World};

/// The least role that each operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Viewer,
    Editor,
    Owner,
}

use Needs::{Editor, Owner, Viewer};

/// Operations below `/apps/{app}`. Those that destroy come last.
fn operations() -> Vec<(&'static str, &'static str, Needs, Value)> {
    let value = || json!({ "value": "v" });
    vec![
        ("GET", "", Viewer, Value::Null),
        ("GET", "/instances", Viewer, Value::Null),
        ("GET", "/members", Viewer, Value::Null),
        ("GET", "/audit", Owner, Value::Null),
        ("GET", "/export", Owner, Value::Null),
        ("PATCH", "", Owner, json!({ "name": "New" })),
        ("GET", "/domains", Viewer, Value::Null),
        ("POST", "/domains", Owner, json!({ "host": "a.example" })),
        ("POST", "/domains/a.example/verify", Owner, json!({})),
        ("DELETE", "/domains/a.example", Owner, Value::Null),
        ("GET", "/functions", Viewer, Value::Null),
        ("POST", "/functions", Editor, json!({ "name": "new" })),
        ("GET", "/functions/hello", Viewer, Value::Null),
        ("PATCH", "/functions/hello", Editor, json!({ "description": "d" })),
        ("POST", "/functions/hello/publish", Editor, json!({})),
        ("GET", "/functions/hello/versions", Viewer, Value::Null),
        ("GET", "/functions/hello/versions/1", Viewer, Value::Null),
        ("GET", "/functions/hello/diff?from=0&to=1", Viewer, Value::Null),
        ("POST", "/functions/hello/rollback", Editor, json!({ "version": 1 })),
        ("POST", "/functions/hello/run", Editor, json!({})),
        ("GET", "/environment", Viewer, Value::Null),
        ("PUT", "/environment/A", Editor, value()),
        ("DELETE", "/environment/A", Editor, Value::Null),
        ("GET", "/secrets", Viewer, Value::Null),
        ("PUT", "/secrets/A", Editor, value()),
        ("DELETE", "/secrets/A", Editor, Value::Null),
        ("GET", "/dependencies", Viewer, Value::Null),
        ("PUT", "/dependencies", Editor, json!({ "packages": {} })),
        ("GET", "/dependencies/install/events", Viewer, Value::Null),
        ("DELETE", "/dependencies/install", Editor, Value::Null),
        ("GET", "/logs", Viewer, Value::Null),
        ("GET", "/metrics", Viewer, Value::Null),
        ("GET", "/typings", Viewer, Value::Null),
        ("POST", "/restart", Editor, json!({})),
        ("POST", "/stop", Editor, json!({})),
        ("POST", "/start", Editor, json!({})),
        ("DELETE", "/functions/hello", Editor, Value::Null),
        ("DELETE", "", Owner, Value::Null),
        ("POST", "/restore", Owner, json!({})),
        ("DELETE", "", Owner, Value::Null),
        ("DELETE", "/purge", Owner, Value::Null),
    ]
}

async fn send(person: &Person<'_>, app: &str, (method, path, _, body): &(&str, &str, Needs, Value)) -> u16 {
    let body = Some(body.clone()).filter(|body| !body.is_null());
    // The draft's revision is asked for by the one who may see it: others must be refused before it is compared.
    let headers: &[(&str, &str)] = if *method == "PATCH" { &[("if-match", "\"1\"")] } else { &[] };
    person.send(method, &format!("/apps/{app}{path}"), headers, body).await.status
}

#[tokio::test]
async fn every_operation_is_for_those_whose_role_allows_it_and_hidden_from_strangers() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    for (role, rank) in [("viewer", Some(Viewer)), ("editor", Some(Editor)), ("owner", Some(Owner)), ("stranger", None)]
    {
        for operation in operations() {
            let app = ada.app("Shop").await;
            ada.function(&app, "hello", "export default () => 1").await;
            ada.post(&format!("/apps/{app}/functions/hello/publish"), json!({})).await;
            if rank.is_some() {
                world.member(&app, &eve, role).await;
            }
            let status = send(&eve, &app, &operation).await;
            let name = format!("{role}: {} {} answered {status}", operation.0, operation.1);
            match rank {
                None => assert_eq!(status, 404, "{name}"),
                Some(rank) if rank < operation.2 => assert_eq!(status, 403, "{name}"),
                Some(_) => assert!(status != 403 && status != 401 && status < 500, "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn nobody_in_particular_may_do_nothing_and_a_reading_token_only_reads() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    let (nobody, reader) = (world.anonymous(), ada.reading().await);
    for operation in operations() {
        assert_eq!(send(&nobody, &app, &operation).await, 401, "{} {}", operation.0, operation.1);
        let status = send(&reader, &app, &operation).await;
        assert_eq!(status == 403, operation.0 != "GET", "{} {} answered {status}", operation.0, operation.1);
    }
    assert_eq!(nobody.post("/apps", json!({ "name": "x" })).await.status, 401);
    assert_eq!(nobody.get("/apps").await.status, 401);
}

#[tokio::test]
async fn bad_input_is_refused_with_what_to_do() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    let large = "x".repeat((512 << 10) + 1);
    let rows: Vec<(&str, &str, Value, u16, &str)> = vec![
        ("POST", "/functions", json!({ "name": "a/../b" }), 400, "function.name_invalid"),
        ("POST", "/functions", json!({ "name": "" }), 400, "function.name_invalid"),
        ("POST", "/functions", json!({ "name": "ok", "source": large }), 413, "function.source_too_large"),
        ("POST", "/functions", json!({ "name": "ok", "methods": [] }), 400, "function.methods_invalid"),
        ("POST", "/functions", json!({ "name": "ok", "methods": ["GET", "GET"] }), 400, "function.methods_invalid"),
        (
            "POST",
            "/functions",
            json!({ "name": "ok", "description": "d".repeat(257) }),
            400,
            "function.description_too_long",
        ),
        ("POST", "/functions", json!({ "name": "hello" }), 409, "function.exists"),
        ("PATCH", "/functions/hello", json!({ "source": large }), 413, "function.source_too_large"),
        ("PATCH", "/functions/none", json!({ "source": "" }), 404, "function.not_found"),
        ("POST", "/functions/none/publish", json!({}), 404, "function.not_found"),
        ("POST", "/functions/hello/publish", json!({ "source": large }), 413, "function.source_too_large"),
        ("POST", "/functions/hello/publish", json!({ "message": "m".repeat(501) }), 400, "version.message_too_long"),
        ("POST", "/functions/hello/rollback", json!({ "version": 7 }), 404, "function.version_not_found"),
        ("POST", "/functions/hello/run", json!({ "method": "BREW" }), 400, "run.method_invalid"),
        ("POST", "/functions/hello/run", json!({ "headers": { "a\nb": "c" } }), 400, "run.headers_invalid"),
        ("PUT", "/environment/1A", json!({ "value": "v" }), 400, "variable.name_invalid"),
        ("PUT", "/environment/NODE_OPTIONS", json!({ "value": "v" }), 400, "variable.name_reserved"),
        ("PUT", "/secrets/SERVER_SECRET", json!({ "value": "v" }), 400, "variable.name_reserved"),
        ("PUT", "/environment/A", json!({ "value": "v".repeat((64 << 10) + 1) }), 413, "variable.value_too_large"),
        ("PUT", "/environment/A", json!({ "value": "a\u{0}b" }), 400, "variable.value_invalid"),
        ("PUT", "/dependencies", json!({ "packages": { "../x": "1" } }), 400, "dependency.name_invalid"),
        ("PUT", "/dependencies", json!({ "packages": { "x": "git+ssh://h/x" } }), 400, "dependency.range_invalid"),
        ("DELETE", "/dependencies/install", Value::Null, 409, "dependency.not_installing"),
        ("POST", "/domains", json!({ "host": "127.0.0.1" }), 400, "domain.host_invalid"),
        ("POST", "/domains", json!({ "host": world.apps_domain() }), 400, "domain.host_invalid"),
        ("PATCH", "", json!({ "name": " " }), 400, "app.name_invalid"),
        ("GET", "/functions/hello/versions/7", Value::Null, 404, "function.version_not_found"),
        ("GET", "/functions/hello/diff?from=0&to=7", Value::Null, 404, "function.version_not_found"),
        ("GET", "/functions?limit=0", Value::Null, 400, "page.limit_invalid"),
        ("GET", "/functions/hello/versions?cursor=x", Value::Null, 400, "page.cursor_malformed"),
    ];
    for (method, path, body, status, code) in rows {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = ada.send(method, &format!("/apps/{app}{path}"), &[("if-match", "\"1\"")], body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}: {answer:?}");
        assert!(answer.body["error"]["message"].as_str().unwrap().len() > 20, "{code} says too little");
    }
    assert_eq!(
        ada.get(&format!("/apps/{app}/functions")).await.body["items"].as_array().unwrap().len(),
        1,
        "nothing was half made"
    );
    for malformed in ["{", "[]", "{\"name\":1}", "{\"name\":\"x\",\"colour\":\"blue\"}"] {
        let status = ada.send_raw("POST", "/apps", malformed).await.status;
        assert_eq!(status, 400, "{malformed}");
    }
}
