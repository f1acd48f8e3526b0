//! Functions by URL: drafts, publishing, versions, rolling back, and everything that must not publish.

use serde_json::{Value, json};

use crate::world::{Answer, Person, World};

const HELLO: &str = "export default async function () { return 1 }";

/// An app with one function that was never published.
async fn app_with(person: &Person<'_>, name: &str, source: &str) -> String {
    let app = person.app("Shop").await;
    person.function(&app, name, source).await;
    app
}

async fn publish(person: &Person<'_>, app: &str, name: &str, body: Value) -> Answer {
    person.post(&format!("/apps/{app}/functions/{name}/publish"), body).await
}

#[tokio::test]
async fn a_draft_is_published_changed_compared_and_rolled_back() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "hello", HELLO).await;
    assert!(world.engine.take().is_empty(), "saving a draft changes nothing that runs");

    let first = publish(&ada, &app, "hello", json!({ "message": "first" })).await;
    assert_eq!((first.status, first.body["version"]["number"].as_u64()), (200, Some(1)), "{first:?}");
    let phases: Vec<_> =
        first.body["phases"].as_array().unwrap().iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["compile", "store", "swap"]);

    let next = HELLO.replace('1', "2");
    let second = publish(&ada, &app, "hello", json!({ "source": next })).await;
    assert_eq!(second.body["version"]["number"], 2);
    assert_eq!(second.headers["etag"], "\"2\"", "publishing another source saves it as the draft");
    assert_eq!(world.engine.take(), ["publish hello@1", "publish hello@2"]);

    let diff = ada.get(&format!("/apps/{app}/functions/hello/diff?from=1&to=2")).await;
    assert!(
        diff.body["unified"].as_str().unwrap().contains("-export default async function () { return 1 }"),
        "{diff:?}"
    );
    let same = ada.get(&format!("/apps/{app}/functions/hello/diff?from=2&to=0")).await;
    assert_eq!(same.body["unified"], "");

    let back = ada.post(&format!("/apps/{app}/functions/hello/rollback"), json!({ "version": 1 })).await;
    assert_eq!((back.status, &back.body["version"]["number"]), (200, &json!(1)));
    assert_eq!(world.engine.take(), ["publish hello@1"]);
    let versions = ada.get(&format!("/apps/{app}/functions/hello/versions")).await;
    let shown: Vec<_> = versions.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["number"].as_u64().unwrap(), one["live"].as_bool().unwrap(), one["author"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [(2, false, "ada"), (1, true, "ada")]);
    let function = ada.get(&format!("/apps/{app}/functions/hello")).await;
    assert_eq!(
        (&function.body["changed"], &function.body["live_version"], &function.body["source"]),
        (&json!(true), &json!(1), &json!(next))
    );
    let old = ada.get(&format!("/apps/{app}/functions/hello/versions/1")).await;
    assert_eq!(old.body["source"], HELLO);
    assert!(old.body["url"].as_str().unwrap().ends_with("/hello@1"));
}

#[tokio::test]
async fn a_syntax_error_is_shown_by_line_and_column_and_publishes_nothing() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "hello", HELLO).await;
    publish(&ada, &app, "hello", json!({})).await;
    world.engine.take();
    let broken =
        publish(&ada, &app, "hello", json!({ "source": "export default function () {\n  return 1 +\n}" })).await;
    assert_eq!((broken.status, broken.code()), (400, "function.syntax_error"), "{broken:?}");
    let place = &broken.body["error"]["details"]["diagnostics"][0];
    assert_eq!((place["line"].as_u64(), place["column"].is_u64()), (Some(3), true), "{broken:?}");
    assert!(world.engine.take().is_empty());
    let function = ada.get(&format!("/apps/{app}/functions/hello")).await;
    assert_eq!((&function.body["live_version"], &function.body["source"]), (&json!(1), &json!(HELLO)));
}

#[tokio::test]
async fn a_circular_import_is_named_and_publishes_nothing_but_its_draft_can_be_saved() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "a", "import '@/b'; export default () => 1").await;
    ada.function(&app, "b", HELLO).await;
    let warned = publish(&ada, &app, "a", json!({})).await;
    assert_eq!(warned.status, 200);
    assert!(warned.body["warnings"][0].as_str().unwrap().contains("b is not published"), "{warned:?}");
    publish(&ada, &app, "b", json!({})).await;
    world.engine.take();
    let saved = ada
        .patch(
            &format!("/apps/{app}/functions/b"),
            "\"1\"",
            json!({ "source": "import './a'; export default () => 1" }),
        )
        .await;
    assert_eq!(saved.status, 200);
    let refused = publish(&ada, &app, "b", json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, "function.import_cycle"));
    assert_eq!(refused.body["error"]["details"]["cycle"], json!(["a", "b", "a"]));
    assert!(world.engine.take().is_empty());
}

#[tokio::test]
async fn two_people_can_not_overwrite_each_other_unseen() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let app = app_with(&ada, "hello", HELLO).await;
    world.member(&app, &bob, "editor").await;
    let path = format!("/apps/{app}/functions/hello");
    assert_eq!(bob.patch(&path, "\"1\"", json!({ "source": "// bob" })).await.status, 200);
    let stale = ada.patch(&path, "\"1\"", json!({ "source": "// ada" })).await;
    assert_eq!((stale.status, stale.code()), (412, "function.stale"));
    let details = &stale.body["error"]["details"];
    assert_eq!((&details["updated_by"], &details["revision"]), (&json!("bob"), &json!(2)));
    assert!(details["updated_at"].is_i64());
    let stale = ada.send("POST", &format!("{path}/publish"), &[("if-match", "\"1\"")], Some(json!({}))).await;
    assert_eq!((stale.status, stale.code()), (412, "function.stale"));
    let without = ada.send("PATCH", &path, &[], Some(json!({ "source": "" }))).await;
    assert!((400..500).contains(&without.status), "{without:?}");
    assert_eq!(ada.get(&path).await.body["source"], "// bob");
}

#[tokio::test]
async fn a_new_name_moves_what_runs_and_a_removed_function_leaves() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "old", HELLO).await;
    publish(&ada, &app, "old", json!({})).await;
    ada.function(&app, "taken", HELLO).await;
    world.engine.take();
    let path = format!("/apps/{app}/functions/old");
    let taken = ada.patch(&path, "\"1\"", json!({ "name": "taken" })).await;
    assert_eq!((taken.status, taken.code()), (409, "function.exists"));
    let renamed = ada.patch(&path, "\"1\"", json!({ "name": "api/new" })).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("api/new")), "{renamed:?}");
    assert_eq!(world.engine.take(), ["remove old", "publish api/new@1"]);
    assert_eq!(ada.get(&path).await.status, 404);
    assert_eq!(ada.delete(&format!("/apps/{app}/functions/api%2Fnew")).await.status, 204);
    assert_eq!(world.engine.take(), ["remove api/new"]);
    assert_eq!(ada.delete(&format!("/apps/{app}/functions/api%2Fnew")).await.code(), "function.not_found");
}

#[tokio::test]
async fn an_instance_that_does_not_take_a_version_makes_the_app_start_anew() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "hello", HELLO).await;
    *world.engine.refuses_publish.lock().unwrap() = true;
    assert_eq!(publish(&ada, &app, "hello", json!({})).await.status, 200, "the version is on disk: that is the truth");
    assert_eq!(world.engine.take(), ["publish hello@1", "restart"]);
}

#[tokio::test]
async fn a_crash_between_commit_and_swap_loses_nothing() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "hello", HELLO).await;
    let bundle = world.bundle(&app).await.unwrap();
    assert!(bundle.functions.is_empty());
    // The swap never comes: the process ends after the commit.
    world.engine.publish_gate.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let function = format!("/apps/{app}/functions/hello");
    let path = format!("{function}/publish");
    let publishing = ada.post(&path, json!({}));
    tokio::pin!(publishing);
    loop {
        tokio::select! {
            answer = &mut publishing => panic!("it can not answer before the swap: {answer:?}"),
            function = ada.get(&function) => if function.body["live_version"] == 1 { break },
        }
    }
    let again = world.restarted().await;
    let bundle = again.bundle(&app).await.unwrap();
    assert_eq!((bundle.functions[0].name.as_str(), bundle.functions[0].version), ("hello", 1));
}

#[tokio::test]
async fn publishing_from_many_sides_gives_every_version_its_own_number() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "hello", HELLO).await;
    let path = format!("/apps/{app}/functions/hello/publish");
    let answers = futures_util::future::join_all((0..8).map(|_| ada.post(&path, json!({})))).await;
    let mut numbers: Vec<_> = answers.iter().map(|answer| answer.body["version"]["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    assert_eq!(world.engine.take(), (1..=8).map(|number| format!("publish hello@{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_answers_with_the_draft_its_log_and_its_phases_and_publishes_nothing() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "api/users", HELLO).await;
    ada.post(&format!("/apps/{app}/stop"), json!({})).await;
    world.echo(&app);
    let request = json!({ "method": "POST", "query": "a=1", "headers": { "X-Mine": "yes" }, "body": "{\"b\":2}", "user": { "uid": "u1" } });
    let run = ada.post(&format!("/apps/{app}/functions/api%2Fusers/run"), request).await;
    assert_eq!((run.status, &run.body["status"]), (200, &json!(201)), "{run:?}");
    let seen: Value = serde_json::from_str(run.body["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&seen["method"], &seen["target"], &seen["body"]),
        (&json!("POST"), &json!("/api/users?a=1"), &json!("{\"b\":2}"))
    );
    assert_eq!(
        (&seen["headers"]["x-mine"], &seen["headers"]["content-type"]),
        (&json!("yes"), &json!("application/json"))
    );
    assert!(seen["headers"]["authorization"].as_str().unwrap().starts_with("Bearer ey"));
    assert!(seen["pin"].as_str().unwrap().starts_with("draft:"));
    assert_eq!(run.body["logs"][0]["message"], "from the run");
    let phases: Vec<_> =
        run.body["phases"].as_array().unwrap().iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["compile", "pool", "load", "run"]);
    assert_eq!(ada.get(&format!("/apps/{app}/functions/api%2Fusers")).await.body["live_version"], Value::Null);
    assert!(!world.engine.take().iter().any(|call| call.starts_with("publish")));
}

#[tokio::test]
async fn a_run_that_hangs_breaks_or_floods_is_a_result_that_says_so() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = app_with(&ada, "hello", HELLO).await;
    let mut limits = ada.get(&format!("/apps/{app}")).await.body["limits"].clone();
    limits["total_timeout_ms"] = json!(100);
    ada.send("PATCH", &format!("/apps/{app}"), &[], Some(json!({ "limits": limits }))).await;
    let path = format!("/apps/{app}/functions/hello/run");

    world.engine.answers(|_, answer| std::mem::forget(answer));
    let hung = ada.post(&path, json!({})).await;
    assert_eq!((hung.status, &hung.body["status"]), (200, &json!(504)), "{hung:?}");
    assert!(hung.body["body"].as_str().unwrap().contains("function.timeout"));

    world.engine.answers(|_, answer| answer.reset(3, "it broke"));
    assert_eq!(ada.post(&path, json!({})).await.body["status"], 502);

    world.engine.answers(|_, answer| {
        let writer = answer.begin(200, &[]);
        tokio::spawn(async move { while writer.send(vec![0xffu8; 60_000]).await {} });
    });
    let flood = ada.post(&path, json!({})).await;
    assert_eq!((&flood.body["truncated"], &flood.body["base64"]), (&json!(true), &json!(true)));
    assert_eq!(flood.body["body"].as_str().unwrap().len(), (1usize << 20).div_ceil(3) * 4);

    let broken = ada.post(&path, json!({ "source": "export default (" })).await;
    assert_eq!((broken.status, broken.code()), (400, "function.syntax_error"));
    let large = ada.post(&path, json!({ "body": "x".repeat(11 << 20) })).await;
    assert_eq!(large.status, 413, "{}", large.body);
}
