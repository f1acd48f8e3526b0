//! Resting and waking: what the engine sees, what the owner wants, and the reconciler between them.

use darter_core::workspace::lifecycle::State;
use darter_core::workspace::rest::{Next, Step, Why};
use darter_engine::workspace::WorkspaceUsage;
use darter_platform::workspace::{keep_workspaces, purge_due, reconcile, watch};
use darter_testkit::TestPlatform;
use serde_json::json;

use crate::world::{called, id_of, path, until, workspace};

#[tokio::test]
async fn what_ends_because_it_is_quiet_is_asleep_and_what_crashes_comes_back() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    test.clock.advance(1_000);
    test.workspaces.see(&id, |status| {
        status.observed.state = State::Stopped;
        status.observed.rested = true;
    });
    until(&ada, &id, |now| now["desired"] == "asleep").await;
    assert_eq!(reconcile(&test.platform).await.unwrap(), 0, "it may sleep");
    test.clock.advance(1_000);
    assert!(test.workspaces.bundle(id.as_str()).await.is_ok(), "a snapshot is made of it");
    test.platform.settle().await;
    assert_eq!(ada.get(&path(&id, "")).await.body["desired"], "asleep", "which nobody wanted it awake for");
    test.workspaces.opened(&id);
    until(&ada, &id, |now| now["desired"] == "awake").await;
    test.workspaces.take();
    assert_eq!(reconcile(&test.platform).await.unwrap(), 1, "wanted awake, and nothing of it runs");
    called(&test, "start").await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    test.platform.settle().await;
    test.clock.advance(1_000);
    test.workspaces.see(&id, |status| status.observed.state = State::Stopped);
    until(&ada, &id, |now| now["observed"]["state"] == "stopped").await;
    while reconcile(&test.platform).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
}

#[tokio::test]
async fn a_workspace_that_never_sends_its_files_keeps_no_other_waiting() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let (silent, other) = (workspace(&ada).await, workspace(&ada).await);
    for id in [&silent, &other] {
        until(&ada, id, |now| now["observed"]["state"] == "running").await;
    }
    test.clock.advance(1_000);
    ada.post(&path(&other, "/stop"), json!({})).await;
    test.platform.settle().await;
    test.workspaces.home_gate.forget_permits(usize::MAX >> 3);
    let stop = tokio_util::sync::CancellationToken::new();
    let keeping = tokio::spawn(keep_workspaces(std::sync::Arc::clone(&test.platform), stop.clone()));
    called(&test, "export ").await;
    test.workspaces.take();
    test.clock.advance(1_000);
    test.workspaces.see(&other, |status| status.observed.state = State::Running);
    called(&test, "stop").await;
    stop.cancel();
    keeping.await.unwrap();
}

#[tokio::test]
async fn what_runs_although_nobody_wants_it_is_ended() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    ada.post(&path(&id, "/stop"), json!({})).await;
    test.platform.settle().await;
    test.clock.advance(1_000);
    test.workspaces.see(&id, |status| status.observed.state = State::Running);
    test.workspaces.take();
    while reconcile(&test.platform).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    called(&test, "stop").await;
    until(&ada, &id, |now| now["observed"]["state"] == "stopped").await;
}

#[tokio::test]
async fn after_a_restart_nothing_runs_and_what_is_kept_comes_back() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let (plain, kept) = (workspace(&ada).await, workspace(&ada).await);
    until(&ada, &plain, |now| now["observed"]["state"] == "running").await;
    until(&ada, &kept, |now| now["observed"]["state"] == "running").await;
    assert_eq!(ada.post(&path(&kept, "/keep"), json!({})).await.status, 200);
    let test = test.restarted().await;
    let ada = test.visitor(&ada);
    let now = ada.get(&path(&plain, "")).await.body;
    assert_eq!((&now["desired"], &now["observed"]["state"]), (&json!("asleep"), &json!("stopped")));
    assert_eq!(test.platform.workspaces.plate(&plain).unwrap().owner_name, "ada");
    assert_eq!(reconcile(&test.platform).await.unwrap(), 1);
    until(&ada, &kept, |now| now["observed"]["state"] == "running").await;
}

#[tokio::test]
async fn a_workspace_says_what_happens_next_and_why_and_can_be_kept() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let at = darter_core::Clock::now(&*test.clock) + 300_000;
    test.workspaces.see(&id, |status| status.next = Some(Next { step: Step::Freeze, at, why: Why::Quiet }));
    let now = ada.get(&path(&id, "")).await.body;
    assert_eq!(
        now["next"],
        json!({ "state": "frozen", "at": at, "reason": { "key": "quiet", "params": { "after_ms": 300_000 } } })
    );
    let until_at = at - 300_000 + 2 * 3_600_000;
    let kept = ada.post(&path(&id, "/keep"), json!({})).await.body;
    assert_eq!(kept["keep_until"], json!(until_at));
    assert!(test.workspaces.take().contains(&format!("keep until Some({until_at})")));
    test.workspaces.see(&id, |status| status.next = Some(Next { step: Step::Freeze, at: until_at, why: Why::Kept }));
    let kept = ada.get(&path(&id, "")).await.body;
    assert_eq!(kept["next"]["reason"], json!({ "key": "kept", "params": { "keep_until_at": until_at } }));
    let loose = ada.post(&path(&id, "/keep"), json!({ "for_ms": 0 })).await.body;
    assert_eq!(loose["keep_until"], json!(null));
    assert_eq!(ada.post(&path(&id, "/keep"), json!({ "for_ms": 1u64 << 50 })).await.code(), "limit.out_of_range");
    ada.post(&path(&id, "/stop"), json!({})).await;
    assert_eq!(ada.post(&path(&id, "/keep"), json!({})).await.code(), "workspace.not_running");
}

#[tokio::test]
async fn a_temporary_workspace_that_nobody_wants_goes_for_good() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let body = json!({ "name": "try", "environment": "jupyter", "kind": "temporary", "start": false });
    let made = ada.post("/workspaces", body).await;
    let id = id_of(&made);
    let next = &made.body["next"];
    assert_eq!((&next["state"], &next["reason"]["key"]), (&json!("purged"), &json!("temporary")), "{made:?}");
    test.clock.advance(86_400_000);
    assert_eq!(purge_due(&test.platform).await.unwrap(), 0);
    test.clock.advance(1);
    assert_eq!(purge_due(&test.platform).await.unwrap(), 1);
    assert_eq!(ada.get(&path(&id, "")).await.code(), "workspace.not_found");
}

#[tokio::test]
async fn whoever_watches_sees_every_change() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let actor = test.actor(&ada).await;
    let mut events = watch(&test.platform, &actor, &id).await.unwrap();
    assert_eq!(events.next().await.unwrap().observed.state, "running");
    let usage = WorkspaceUsage { memory_bytes: 7, ..WorkspaceUsage::default() };
    test.workspaces.see(&id, |status| {
        status.observed.state = State::Frozen;
        status.usage = Some(usage);
    });
    let frozen = events.next().await.unwrap();
    assert_eq!((frozen.observed.state.as_str(), frozen.usage.unwrap().memory_bytes), ("frozen", 7));
    let path = path(&id, "");
    ada.patch(&path, json!({ "name": "Other" })).await;
    while events.next().await.unwrap().name != "Other" {}
    ada.delete(&path).await;
    ada.delete(&format!("{path}/purge")).await;
    while events.next().await.is_some() {}
}
