//! Making, starting, stopping, the recycle bin, and what can be done when.

use darter_core::Fault;
use darter_core::Kind;
use darter_platform::workspace::{purge_due, reconcile};
use darter_testkit::TestPlatform;
use serde_json::json;

use crate::world::{allowed, called, path, until, workspace};

#[tokio::test]
async fn a_workspace_is_made_and_started_and_says_where_the_time_went() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let made = ada.post("/workspaces", json!({ "name": " Thesis ", "environment": "vscode" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let body = &made.body;
    assert_eq!(
        (&body["name"], &body["kind"], &body["depth"], &body["role"], &body["desired"]),
        (&json!("Thesis"), &json!("named"), &json!("full"), &json!("owner"), &json!("awake"))
    );
    let id: darter_core::WorkspaceId = body["id"].as_str().unwrap().parse().unwrap();
    let editor = format!("http://ada-{id}.darter-apps.localhost:7070");
    assert_eq!(body["addresses"]["editor"], editor);
    assert_eq!(body["addresses"]["port"], format!("http://{{{{port}}}}-{id}.darter-apps.localhost:7070"));
    let running = until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let start = &running["observed"]["start"];
    assert_eq!((&start["from"], &start["total_us"]), (&json!("pool"), &json!(1_200)));
    assert_eq!(start["phases"][1], json!({ "name": "home", "us": 900 }));
    assert_eq!(allowed(&running).len(), 9, "{running}");
    let plate = test.platform.workspaces.plate(&id).unwrap();
    assert_eq!((plate.owner_name.as_str(), plate.recycled), ("ada", false));
    let listed = ada.get("/workspaces").await;
    assert_eq!((listed.items().len(), &listed.items()[0]["id"]), (1, &json!(id.as_str())));
    let bundle = test.workspaces.bundle(id.as_str()).await.unwrap();
    assert_eq!((bundle.environment.as_str(), bundle.hostname.as_str()), ("vscode", "thesis"));
}

#[tokio::test]
async fn what_does_not_exist_or_is_too_much_is_refused() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let rows = [
        (json!({ "name": "", "environment": "vscode" }), "workspace.name_invalid"),
        (json!({ "name": "x", "environment": "cobol" }), "environment.unknown"),
        (json!({ "name": "x", "environment": "../etc" }), "environment.unknown"),
        (json!({ "name": "x", "environment": "vscode", "limits": { "memory_bytes": 1 } }), "limit.out_of_range"),
        (json!({ "name": "x", "environment": "vscode", "limits": { "disk_bytes": 1u64 << 60 } }), "limit.out_of_range"),
        (json!({ "name": "x", "environment": "vscode", "rest": { "stop_after_ms": 0 } }), "limit.out_of_range"),
        (json!({ "name": "x", "environment": "vscode", "depth": "deep" }), "request.body_invalid"),
        (json!({ "name": "x", "environment": "jupyter", "depth": "light" }), "workspace.no_light_depth"),
        (json!({ "name": "x", "environment": "vscode", "kind": 7 }), "request.body_invalid"),
    ];
    for (body, code) in rows {
        let refused = ada.post("/workspaces", body.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{body}");
    }
    assert!(ada.get("/workspaces").await.items().is_empty());
    let nothing = ada.get("/workspaces/nothing").await;
    assert_eq!(nothing.code(), "request.path_invalid");
    let said = nothing.body["error"]["message"].as_str().unwrap();
    let wanted = "A part of the address does not fit. This is not the id of a workspace: 10 lower-case letters and digits, a letter first.";
    assert_eq!(said, wanted);
    assert_eq!(ada.get("/workspaces/aaaaaaaaaa").await.code(), "workspace.not_found");
}

#[tokio::test]
async fn a_stopped_workspace_is_started_and_two_starts_are_one() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let stopped = ada.post(&path(&id, "/stop"), json!({})).await;
    assert_eq!((stopped.status, &stopped.body["desired"]), (200, &json!("asleep")));
    // How it started last is still known.
    let known = |now: &serde_json::Value| now["observed"]["start"]["from"] == "pool";
    let asleep = until(&ada, &id, |now| now["observed"]["state"] == "stopped" && known(now)).await;
    assert_eq!(allowed(&asleep), ["open", "start", "snapshot", "clone", "rename", "update", "delete"]);
    assert_eq!(ada.post(&path(&id, "/stop"), json!({})).await.status, 200, "stopping a stopped one is accepted");
    let (one, two) = (path(&id, "/start"), path(&id, "/start"));
    let (first, second) = tokio::join!(ada.post(&one, json!({})), ada.post(&two, json!({})));
    assert!([first.status, second.status].iter().all(|status| matches!(status, 200 | 412)), "{first:?} {second:?}");
    until(&ada, &id, |now| now["observed"]["state"] == "running" && now["desired"] == "awake").await;
    assert_eq!(ada.post(&path(&id, "/restart"), json!({})).await.status, 200);
    called(&test, "stop").await;
}

#[tokio::test]
async fn a_start_that_is_refused_says_why_and_is_not_tried_behind_its_owner_s_back() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let made = ada.post("/workspaces", json!({ "name": "x", "environment": "vscode", "start": false })).await;
    let id = crate::world::id_of(&made);
    assert_eq!(made.body["desired"], "asleep");
    let full = Fault::new(Kind::RateLimited, "workspace.queue_full", "Too many start at once.").retry_after(7);
    *test.workspaces.refuses.lock().unwrap() = Some(full);
    let refused = ada.post(&path(&id, "/start"), json!({})).await;
    assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (429, "workspace.queue_full", "7"));
    let now = until(&ada, &id, |now| now["desired"] == "asleep" && !now["observed"]["trouble"].is_null()).await;
    assert_eq!(now["observed"]["trouble"]["code"], "workspace.queue_full");
    assert_eq!(reconcile(&test.platform).await.unwrap(), 0);
    let broken = Fault::internal("no home");
    *test.workspaces.refuses.lock().unwrap() = Some(broken);
    ada.post(&path(&id, "/start"), json!({})).await;
    let failed = until(&ada, &id, |now| now["observed"]["state"] == "failed").await;
    assert!(allowed(&failed).contains(&"start"), "there is a way out");
    assert_eq!(reconcile(&test.platform).await.unwrap(), 0, "what failed waits for its owner");
    *test.workspaces.refuses.lock().unwrap() = None;
    assert_eq!(ada.post(&path(&id, "/start"), json!({})).await.status, 200);
    let well = until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    assert!(well["observed"]["trouble"].is_null(), "{well}");
}

#[tokio::test]
async fn the_recycle_bin_keeps_a_workspace_for_its_time_and_then_everything_of_it_goes() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    assert_eq!(ada.delete(&path(&id, "/purge")).await.code(), "workspace.not_recycled");
    let binned = ada.delete(&path(&id, "")).await;
    assert_eq!(allowed(&binned.body), ["restore", "purge"]);
    assert_eq!(
        (&binned.body["next"]["state"], &binned.body["next"]["reason"]["key"]),
        (&json!("purged"), &json!("recycled"))
    );
    assert!(test.platform.workspaces.plate(&id).unwrap().recycled);
    assert!(test.workspaces.bundle(id.as_str()).await.is_err(), "one in the bin is not started");
    assert!(ada.get("/workspaces").await.items().is_empty());
    assert_eq!(ada.get("/workspaces?desired=recycled").await.items().len(), 1);
    for verb in ["/start", "/stop", "/restart", "/keep"] {
        let refused = ada.post(&path(&id, verb), json!({})).await;
        assert_eq!((refused.status, refused.code()), (409, "workspace.recycled"), "{verb}");
    }
    test.clock.advance(29 * 86_400_000);
    assert_eq!(purge_due(&test.platform).await.unwrap(), 0);
    assert_eq!(ada.post(&path(&id, "/restore"), json!({})).await.body["desired"], "asleep");
    ada.delete(&path(&id, "")).await;
    test.platform.settle().await;
    test.clock.advance(31 * 86_400_000);
    test.workspaces.take();
    let ada = test.person("bob").await;
    assert_eq!(purge_due(&test.platform).await.unwrap(), 1);
    assert_eq!(test.workspaces.take(), ["stop", "forget"]);
    assert!(test.platform.workspaces.plate(&id).is_none());
    assert_eq!(ada.get(&path(&id, "")).await.code(), "workspace.not_found");
    assert_eq!(purge_due(&test.platform).await.unwrap(), 0, "a second round finds nothing");
}

#[tokio::test]
async fn a_workspace_deleted_while_it_starts_ends_in_the_bin() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let all = test.workspaces.start_gate.forget_permits(usize::MAX >> 3);
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "starting").await;
    assert_eq!(ada.delete(&path(&id, "")).await.status, 200);
    test.workspaces.start_gate.add_permits(all);
    test.platform.settle().await;
    reconcile(&test.platform).await.unwrap();
    let gone = until(&ada, &id, |now| now["observed"]["state"] == "stopped").await;
    assert_eq!(gone["desired"], "recycled");
    assert_eq!(ada.delete(&path(&id, "/purge")).await.status, 204);
    assert_eq!(ada.get(&path(&id, "")).await.code(), "workspace.not_found");
}

#[tokio::test]
async fn recipes_that_cannot_be_read_are_shown_to_the_administrator_and_to_nobody_else() {
    let test = TestPlatform::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let all = ada.get("/environments").await;
    let all = all.items();
    let shown = |name: &str| all.iter().find(|one| one["name"] == name).unwrap().clone();
    let (bad, taken) = (shown("Bad Name"), shown("vscode"));
    assert_eq!((bad["state"].as_str(), bad["shipped"].as_bool()), (Some("broken"), Some(false)));
    assert_eq!(bad["trouble"]["message"], "title is missing");
    assert_eq!(taken["state"], "installed", "the shipped one is used");
    assert!(taken["trouble"]["message"].as_str().unwrap().contains("title is missing"));
    let others = bob.get("/environments").await;
    let others = others.items();
    assert!(others.iter().all(|one| one["trouble"].is_null()), "{others:?}");
}
