//! Apps by URL: making, stopping, the recycle bin, quotas, moving them in a file.

use darter_core::AppId;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_app_is_made_stopped_started_and_its_route_follows() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let made = ada.post("/apps", json!({ "name": " Shop " })).await;
    assert_eq!(
        (made.status, &made.body["name"], &made.body["state"], &made.body["role"]),
        (201, &json!("Shop"), &json!("running"), &json!("owner")),
        "{made:?}"
    );
    let app = made.body["id"].as_str().unwrap().to_owned();
    assert!(made.body["url"].as_str().unwrap().contains(&app));
    let running = || world.platform.apps.routes.by_label(&app).map(|route| route.running);
    assert_eq!(running(), Some(true));
    let stopped = ada.post(&format!("/apps/{app}/stop"), json!({})).await;
    assert_eq!((stopped.status, &stopped.body["actions"]), (200, &json!(["start", "edit", "rename", "delete"])));
    assert_eq!(running(), Some(false));
    assert!(world.engine.take().contains(&"stop".to_owned()));
    assert_eq!(
        ada.post(&format!("/apps/{app}/stop"), json!({})).await.status,
        200,
        "stopping a stopped app is accepted"
    );
    assert_eq!(ada.post(&format!("/apps/{app}/restart"), json!({})).await.code(), "app.stopped");
    assert_eq!(ada.post(&format!("/apps/{app}/start"), json!({})).await.body["state"], "running");
    assert_eq!(running(), Some(true));
    let again = world.restarted().await;
    assert!(again.platform.apps.routes.by_label(&app).unwrap().running, "routes are loaded at the start");
}

#[tokio::test]
async fn a_stop_is_answered_when_nothing_runs_and_others_see_it_stopping_until_then() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    let path = format!("/apps/{app}");
    let permits = world.engine.stop_gate.forget_permits(usize::MAX);
    let stop = format!("{path}/stop");
    let stopping = ada.post(&stop, json!({}));
    let looking = async {
        world.engine.stop_asked.notified().await;
        let seen = ada.get(&path).await;
        assert_eq!((&seen.body["state"], &seen.body["actions"][0]), (&json!("stopping"), &json!("start")));
        assert_eq!(ada.get("/apps").await.body["items"][0]["state"], "stopping");
        assert!(
            !world.platform.apps.routes.by_label(&app).unwrap().running,
            "callers are refused from the first moment"
        );
        world.engine.stop_gate.add_permits(permits);
    };
    let (stopped, ()) = tokio::join!(stopping, looking);
    assert_eq!((stopped.status, &stopped.body["state"]), (200, &json!("stopped")));
    assert_eq!(ada.get(&path).await.body["state"], "stopped");
}

#[tokio::test]
async fn a_minimum_of_instances_counts_when_it_is_set_at_a_start_and_after_a_kill() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let (app, other) = (ada.app("Shop").await, ada.app("Other").await);
    let warm = format!("warm {app}");
    let path = format!("/apps/{app}");
    let mut limits = ada.get(&path).await.body["limits"].clone();
    limits["instances_min"] = json!(1);
    ada.patch(&path, "\"1\"", json!({ "limits": limits })).await;
    assert_eq!(world.engine.take(), ["restart".to_owned(), warm.clone()]);
    ada.post(&format!("{path}/stop"), json!({})).await;
    darter_platform::app::keep_all(&world.platform);
    assert_eq!(world.engine.take(), ["stop"], "a stopped app is kept nowhere");
    ada.post(&format!("{path}/start"), json!({})).await;
    ada.post(&format!("/apps/{other}/start"), json!({})).await;
    assert_eq!(world.engine.take(), std::slice::from_ref(&warm));
    let again = world.restarted().await;
    darter_platform::app::keep_all(&again.platform);
    assert_eq!(again.engine.take(), [warm]);
}

#[tokio::test]
async fn the_recycle_bin_keeps_an_app_for_thirty_days() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    assert_eq!(ada.send("DELETE", &format!("/apps/{app}/purge"), &[], None).await.code(), "app.not_recycled");
    assert_eq!(ada.delete(&format!("/apps/{app}")).await.body["actions"], json!(["restore", "purge"]));
    assert!(world.platform.apps.routes.by_label(&app).is_none());
    assert!(world.bundle(&app).await.is_err());
    assert!(ada.get("/apps").await.body["items"].as_array().unwrap().is_empty());
    assert_eq!(ada.get("/apps?state=recycled").await.body["items"][0]["id"], app);
    for (method, path) in [("POST", "start"), ("POST", "stop"), ("POST", "restart"), ("POST", "functions")] {
        let refused = ada.send(method, &format!("/apps/{app}/{path}"), &[], Some(json!({ "name": "x" }))).await;
        assert_eq!((refused.status, refused.code()), (409, "app.recycled"), "{path}");
    }
    world.advance(29 * 24 * 3_600_000);
    assert_eq!(darter_platform::app::purge_recycled(&world.platform).await.unwrap(), 0);
    assert_eq!(ada.post(&format!("/apps/{app}/restore"), json!({})).await.body["state"], "stopped");
    ada.delete(&format!("/apps/{app}")).await;
    world.advance(31 * 24 * 3_600_000);
    world.platform.settle().await;
    world.engine.take();
    assert_eq!(darter_platform::app::purge_recycled(&world.platform).await.unwrap(), 1);
    assert_eq!(world.engine.take(), ["stop", "forget"]);
    assert_eq!(ada.get(&format!("/apps/{app}")).await.code(), "app.not_found");
    assert_eq!(darter_platform::app::purge_recycled(&world.platform).await.unwrap(), 0, "a second round finds nothing");
}

#[tokio::test]
async fn an_account_owns_as_many_apps_as_it_may() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    world.apps_per_account(2).await;
    let first = ada.app("One").await;
    ada.app("Two").await;
    let refused = ada.post("/apps", json!({ "name": "Three" })).await;
    assert_eq!((refused.status, refused.code()), (409, "app.quota_reached"));
    ada.delete(&format!("/apps/{first}")).await;
    ada.app("Three").await;
    assert_eq!(
        ada.post(&format!("/apps/{first}/restore"), json!({})).await.code(),
        "app.quota_reached",
        "the bin is no way around"
    );
}

#[tokio::test]
async fn limits_change_within_their_ranges_and_restart_the_app() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    let path = format!("/apps/{app}");
    let mut limits = ada.get(&path).await.body["limits"].clone();
    limits["memory_bytes"] = json!(512 << 20);
    let changed = ada.patch(&path, "\"1\"", json!({ "limits": limits })).await;
    assert_eq!((changed.status, &changed.headers["etag"]), (200, &"\"2\"".to_owned()), "{changed:?}");
    assert_eq!(world.engine.take(), ["restart"]);
    assert_eq!(world.platform.apps.routes.by_label(&app).unwrap().limits.memory_bytes, 512 << 20);
    assert_eq!(world.bundle(&app).await.unwrap().limits.memory_bytes, 512 << 20);
    let stale = ada.patch(&path, "\"1\"", json!({ "name": "Other" })).await;
    assert_eq!((stale.status, stale.code()), (412, "app.stale"));
    limits["memory_bytes"] = json!(1);
    let refused = ada.patch(&path, "\"2\"", json!({ "limits": limits })).await;
    assert_eq!(
        (refused.status, refused.code(), &refused.body["error"]["details"]["limit"]),
        (400, "limit.out_of_range", &json!("memory_bytes"))
    );
}

#[tokio::test]
async fn apps_come_page_by_page() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    for number in 0..5 {
        ada.app(&format!("App {number}")).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("/apps?limit=2{cursor}")).await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn an_app_moves_in_one_file_and_keeps_everything_but_secrets() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    ada.function(&app, "api/users", "export default () => 'never live'").await;
    ada.post(&format!("/apps/{app}/functions/hello/publish"), json!({ "message": "first" })).await;
    ada.patch(
        &format!("/apps/{app}/functions/hello"),
        "\"1\"",
        json!({ "source": "export default () => 2", "methods": ["GET"] }),
    )
    .await;
    ada.put(&format!("/apps/{app}/environment/A"), json!({ "value": "1" })).await;
    ada.put(&format!("/apps/{app}/secrets/S"), json!({ "value": "hidden" })).await;
    let file = ada.get_bytes(&format!("/apps/{app}/export")).await;
    let made = bob.import(file).await;
    assert_eq!((made.status, &made.body["functions"]), (201, &json!(2)), "{made:?}");
    let copy = made.body["id"].as_str().unwrap().to_owned();
    assert_ne!(copy, app);
    let hello = bob.get(&format!("/apps/{copy}/functions/hello")).await.body;
    assert_eq!(
        (&hello["source"], &hello["methods"], &hello["live_version"]),
        (&json!("export default () => 2"), &json!(["GET"]), &json!(1))
    );
    let live = bob.get(&format!("/apps/{copy}/functions/hello/versions/1")).await.body;
    assert_eq!(
        (&live["source"], &live["message"], &live["author"]),
        (&json!("export default () => 1"), &json!("first"), &json!("bob"))
    );
    assert_eq!(bob.get(&format!("/apps/{copy}/environment")).await.body["items"][0]["value"], "1");
    assert!(bob.get(&format!("/apps/{copy}/secrets")).await.body["items"].as_array().unwrap().is_empty());
    let (old, new) = (world.bundle(&app).await.unwrap(), world.bundle(&copy).await.unwrap());
    assert_eq!((new.functions.len(), new.environment.len()), (1, 1));
    assert_ne!(old.secret, new.secret, "tokens of the one app's users mean nothing in the other");
}

#[tokio::test]
async fn a_file_that_is_not_an_export_makes_nothing() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "a", "import './b'; export default () => 1").await;
    let file = ada.get_bytes(&format!("/apps/{app}/export")).await;
    let cut = file[..file.len() / 2].to_vec();
    for (bytes, status) in [(b"PK".to_vec(), 400), (cut, 400), (Vec::new(), 400), (vec![0; 65 << 20], 413)] {
        let refused = ada.import(bytes).await;
        assert_eq!(refused.status, status, "{refused:?}");
    }
    assert_eq!(ada.get("/apps").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn everything_that_changes_an_app_is_on_record() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    ada.post(&format!("/apps/{app}/functions/hello/publish"), json!({})).await;
    ada.post(&format!("/apps/{app}/functions/hello/rollback"), json!({ "version": 1 })).await;
    ada.put(&format!("/apps/{app}/environment/A"), json!({ "value": "1" })).await;
    ada.post(&format!("/apps/{app}/domains"), json!({ "host": "a.example" })).await;
    ada.post(&format!("/apps/{app}/stop"), json!({})).await;
    ada.delete(&format!("/apps/{app}/functions/hello")).await;
    let audit = ada.get(&format!("/apps/{app}/audit")).await.body;
    let mut operations: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|entry| entry["operation"].as_str().unwrap()).collect();
    operations.reverse();
    assert_eq!(
        operations,
        [
            "app.create",
            "function.create",
            "function.publish",
            "function.rollback",
            "variable.set",
            "domain.create",
            "app.stop",
            "function.delete"
        ]
    );
    assert!(audit["items"].as_array().unwrap().iter().all(|entry| entry["actor_name"] == "ada"));
}

#[tokio::test]
async fn old_versions_and_stopped_apps_answer_the_front_door_rightly() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    ada.post(&format!("/apps/{app}/functions/hello/publish"), json!({})).await;
    world.engine.take();
    let id: AppId = app.parse().unwrap();
    darter_platform::directory::acquire(&world.platform, &id).await.unwrap();
    darter_platform::directory::acquire_version(&world.platform, &id, "hello", 1).await.unwrap();
    assert_eq!(world.engine.take(), [format!("acquire {app}"), "pinned hello@1".to_owned()]);
    let missing = darter_platform::directory::acquire_version(&world.platform, &id, "hello", 2).await.unwrap_err();
    assert_eq!(missing.code, "function.version_not_found");
    ada.post(&format!("/apps/{app}/stop"), json!({})).await;
    assert_eq!(darter_platform::directory::acquire(&world.platform, &id).await.unwrap_err().code, "app.stopped");
    assert!(world.bundle(&app).await.is_ok(), "a draft may run in a stopped app");
}
