//! Quotas, limits, changing a workspace, paging.

use std::collections::BTreeSet;

use darter_platform::workspace::purge_due;
use darter_testkit::TestPlatform;
use serde_json::json;

use crate::world::{called, id_of, path, until, workspace};

#[tokio::test]
async fn an_account_and_the_server_have_as_many_workspaces_as_they_may() {
    let test = TestPlatform::with(|config| {
        config.workspaces.per_account = 2;
        config.workspaces.total = 3;
    })
    .await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let first = workspace(&ada).await;
    workspace(&ada).await;
    let body = json!({ "name": "x", "environment": "vscode" });
    let refused = ada.post("/workspaces", body.clone()).await;
    assert_eq!((refused.status, refused.code()), (409, "workspace.quota_reached"));
    assert_eq!(refused.body["error"]["details"], json!({ "owned": 2, "allowed": 2 }));
    workspace(&bob).await;
    let full = bob.post("/workspaces", body).await;
    assert_eq!((full.status, full.code(), full.header("retry-after")), (503, "workspace.server_full", "600"));
    ada.delete(&path(&first, "")).await;
    workspace(&bob).await;
    assert_eq!(ada.post(&path(&first, "/restore"), json!({})).await.code(), "workspace.server_full", "no way around");
}

#[tokio::test]
async fn a_recycle_bin_is_no_way_around_the_quota() {
    let test = TestPlatform::with(|config| config.workspaces.per_account = 2).await;
    let ada = test.person("ada").await;
    let first = workspace(&ada).await;
    ada.delete(&path(&first, "")).await;
    let second = workspace(&ada).await;
    ada.delete(&path(&second, "")).await;
    let body = json!({ "name": "x", "environment": "vscode" });
    let refused = ada.post("/workspaces", body.clone()).await;
    assert_eq!((refused.status, refused.code()), (409, "workspace.bin_full"));
    assert_eq!(ada.post(&path(&first, "/restore"), json!({})).await.status, 200, "out of it everything may come");
    assert_eq!(ada.post("/workspaces", body.clone()).await.status, 201);
    assert_eq!(ada.delete(&path(&second, "/purge")).await.status, 204);
}

#[tokio::test]
async fn a_clone_is_seen_when_it_is_whole_and_a_killed_one_leaves_nothing() {
    let test = TestPlatform::with(|config| config.workspaces.per_account = 2).await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    *test.workspaces.copy_fault.lock().unwrap() = Some(darter_core::Fault::conflict("workspace.awake", "It runs."));
    let all = test.workspaces.home_gate.forget_permits(usize::MAX >> 3);
    let asks = {
        let (platform, actor, id) = (std::sync::Arc::clone(&test.platform), test.actor(&ada).await, id.clone());
        let input = darter_api::workspace::CloneWorkspace { name: "Copy".into(), snapshot: None };
        tokio::spawn(async move { darter_platform::workspace::clone(&platform, &actor, &id, input).await })
    };
    called(&test, "export ").await;
    for list in ["/workspaces", "/workspaces?desired=recycled"] {
        let seen = ada.get(list).await;
        assert!(!seen.items().iter().any(|one| one["name"] == "Copy"), "{list} shows what is not whole");
    }
    let body = json!({ "name": "x", "environment": "vscode" });
    assert_eq!(ada.post("/workspaces", body).await.code(), "workspace.quota_reached", "it counts already");
    assert_eq!(purge_due(&test.platform).await.unwrap(), 0, "nobody sweeps up what is being filled");
    // The server dies.
    asks.abort();
    assert!(asks.await.is_err());
    assert_eq!(purge_due(&test.platform).await.unwrap(), 1);
    test.workspaces.home_gate.add_permits(all);
    let made = ada.post(&path(&id, "/clone"), json!({ "name": "Copy" })).await;
    assert_eq!((made.status, &made.body["desired"], &made.body["role"]), (201, &json!("asleep"), &json!("owner")));
    assert_eq!(ada.get("/workspaces").await.items().len(), 2);
}

#[tokio::test]
async fn a_workspace_is_changed_by_whoever_read_it_last() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let read = ada.get(&path(&id, "")).await;
    let tag = read.header("etag").to_owned();
    let patch = async |tag: &str, body: serde_json::Value| {
        let request = ada.request("PATCH", &format!("/api/v1{}", path(&id, "")));
        let request = request.header("if-match", tag).header("content-type", "application/json");
        ada.send(request.body(body.to_string().into()).unwrap()).await
    };
    test.workspaces.take();
    let renamed = patch(&tag, json!({ "name": "Other" })).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Other")), "{renamed:?}");
    assert!(test.workspaces.take().is_empty(), "a name starts nothing anew");
    let stale = patch(&tag, json!({ "name": "Mine" })).await;
    assert_eq!((stale.status, stale.code()), (412, "workspace.stale"));
    let tag = renamed.header("etag").to_owned();
    let mut limits = renamed.body["limits"].clone();
    limits["memory_bytes"] = json!(1u64 << 30);
    let changed = patch(&tag, json!({ "limits": limits, "depth": "light" })).await;
    assert_eq!((changed.status, &changed.body["depth"]), (200, &json!("light")), "{changed:?}");
    assert_eq!(test.workspaces.take(), ["stop", "start"], "what it starts from has changed");
    let both = patch("*", json!({ "depth": "light", "environment": "jupyter" })).await;
    assert_eq!((both.status, both.code()), (400, "workspace.no_light_depth"));
    assert!(test.workspaces.take().is_empty(), "nothing is saved for a change that is refused");
    let moved = patch("*", json!({ "environment": "jupyter" })).await;
    assert_eq!((moved.status, &moved.body["depth"]), (200, &json!("full")), "it has no light depth: {moved:?}");
    assert_eq!(test.workspaces.take(), ["export ", "stop", "start"], "saved, and what it starts from has changed");
    let bundle = test.workspaces.bundle(id.as_str()).await.unwrap();
    assert_eq!((bundle.limits.memory_bytes, bundle.environment.as_str()), (1 << 30, "jupyter"));
    for (body, code) in [
        (json!({ "name": "\u{7}" }), "workspace.name_invalid"),
        (json!({ "environment": "nothing" }), "environment.unknown"),
        (json!({ "limits": { "pids": 1_000_000 } }), "limit.out_of_range"),
        (json!({ "colour": "blue" }), "request.body_invalid"),
    ] {
        assert_eq!(patch("*", body.clone()).await.code(), code, "{body}");
    }
}

#[tokio::test]
async fn a_creation_that_is_sent_twice_is_done_once_and_lists_come_in_pages() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let send = async || {
        let request = ada.request("POST", "/api/v1/workspaces").header("idempotency-key", "k-1");
        let body = json!({ "name": "x", "environment": "vscode", "start": false }).to_string();
        ada.send(request.header("content-type", "application/json").body(body.into()).unwrap()).await
    };
    assert_eq!(id_of(&send().await), id_of(&send().await));
    workspace(&ada).await;
    workspace(&ada).await;
    let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = ada.get(&format!("/workspaces?limit=2{cursor}")).await;
        seen.extend(page.items().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(ada.get("/workspaces?limit=0").await.code(), "page.limit_invalid");
    assert_eq!(ada.get("/workspaces?cursor=x").await.code(), "page.cursor_malformed");
    assert_eq!(ada.get("/workspaces?desired=asleep").await.items().len(), 1);
}
