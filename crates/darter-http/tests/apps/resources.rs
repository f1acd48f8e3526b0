//! Variables, secrets, packages, domains, logs, metrics by URL.

use darter_core::record::{Level, LogRecord, LogSource, RequestRecord, StartPhases};
use darter_engine::{InstallProgress, InstalledPackage};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn variables_reach_what_runs_and_are_for_editors_to_see() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let app = ada.app("Shop").await;
    world.member(&app, &eve, "viewer").await;
    assert_eq!(ada.put(&format!("/apps/{app}/environment/COLOUR"), json!({ "value": "blue" })).await.status, 200);
    assert_eq!(world.engine.environment.lock().unwrap()["COLOUR"], "blue");
    assert_eq!(ada.get(&format!("/apps/{app}/environment")).await.body["items"][0]["value"], "blue");
    assert_eq!(eve.get(&format!("/apps/{app}/environment")).await.body["items"][0]["value"], "");
    assert_eq!(ada.delete(&format!("/apps/{app}/environment/COLOUR")).await.status, 204);
    assert!(world.engine.environment.lock().unwrap().is_empty());
    assert_eq!(ada.delete(&format!("/apps/{app}/environment/COLOUR")).await.code(), "variable.not_found");
}

#[tokio::test]
async fn a_secret_reaches_its_app_and_nobody_else_ever() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    let set = ada.put(&format!("/apps/{app}/secrets/KEY"), json!({ "value": "hunter2hunter2" })).await;
    assert_eq!(set.status, 200);
    assert_eq!(world.engine.environment.lock().unwrap()["KEY"], "hunter2hunter2");
    assert_eq!(world.bundle(&app).await.unwrap().environment["KEY"], "hunter2hunter2");
    let exported = ada.get_bytes(&format!("/apps/{app}/export")).await;
    let audit = ada.get(&format!("/apps/{app}/audit")).await;
    let shown = [
        set.body.to_string(),
        ada.get(&format!("/apps/{app}/secrets")).await.body.to_string(),
        audit.body.to_string(),
        unzipped(&exported),
    ];
    assert!(shown.iter().all(|text| !text.contains("hunter2hunter2")), "{shown:?}");
    assert!(shown[1].contains("KEY") && shown[2].contains("secret.set") && shown[3].contains("KEY"));
    assert!(!world.data_contains(b"hunter2hunter2"), "a secret lies open on the disk");
}

/// Every file of a zip as one text.
fn unzipped(bytes: &[u8]) -> String {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    for index in 0..zip.len() {
        std::io::Read::read_to_string(&mut zip.by_index(index).unwrap(), &mut text).unwrap();
    }
    text
}

#[tokio::test]
async fn an_install_is_watched_from_its_start_and_restarts_the_app() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    let path = format!("/apps/{app}/dependencies");
    let begun = ada.put(&path, json!({ "packages": { "lodash": "^4" } })).await;
    assert_eq!((begun.status, &begun.body["install"]["state"]), (202, &json!("running")), "{begun:?}");
    let second = ada.put(&path, json!({ "packages": {} })).await;
    assert_eq!((second.status, second.code()), (409, "dependency.install_running"));
    let install = world.install().await;
    install.send(InstallProgress::Phase { name: "download".into() }).await.unwrap();
    install.send(InstallProgress::Output { line: "added 1 package".into() }).await.unwrap();
    let packages = vec![InstalledPackage { name: "lodash".into(), version: "4.17.21".into() }];
    install
        .send(InstallProgress::Installed { digest: "d1".into(), lockfile: "{}".into(), packages, bytes: 9 })
        .await
        .unwrap();
    let events = ada.get_text(&format!("{path}/install/events")).await;
    let names: Vec<_> = events.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["phase", "output", "installed"], "{events}");
    world.engine_calls("restart").await;
    let after = ada.get(&path).await.body;
    assert_eq!(
        (&after["installed"]["lodash"], &after["digest"], &after["install"]["state"]),
        (&json!("4.17.21"), &json!("d1"), &json!("installed"))
    );
    assert_eq!(world.bundle(&app).await.unwrap().dependencies.as_deref(), Some("d1"));
    let later = ada.get_text(&format!("{path}/install/events")).await;
    assert!(later.contains("added 1 package") && later.contains("event: installed"), "{later}");
}

#[tokio::test]
async fn an_install_fails_is_cancelled_or_interrupted_and_leaves_what_was_there() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    let path = format!("/apps/{app}/dependencies");
    ada.put(&path, json!({ "packages": { "no-such-package": "1" } })).await;
    let message = "no-such-package does not exist".to_owned();
    world.install().await.send(InstallProgress::Failed { code: "dependency.not_found".into(), message }).await.unwrap();
    let events = ada.get_text(&format!("{path}/install/events")).await;
    assert!(events.contains("event: failed") && events.contains("does not exist"), "{events}");
    ada.put(&path, json!({ "packages": { "slow": "1" } })).await;
    let _slow = world.install().await;
    assert_eq!(ada.delete(&format!("{path}/install")).await.status, 204);
    let events = ada.get_text(&format!("{path}/install/events")).await;
    assert!(events.contains("dependency.cancelled") || events.contains("was cancelled"), "{events}");
    assert_eq!(ada.get(&path).await.body["install"]["state"], "failed");
    ada.put(&path, json!({ "packages": { "slow": "1" } })).await;
    let again = world.restarted().await;
    let after = again.as_person(&ada).get(&path).await.body;
    assert_eq!((&after["install"]["state"], &after["digest"]), (&json!("interrupted"), &json!(null)));
}

#[tokio::test]
async fn a_domain_is_served_once_proven_and_never_for_two_apps() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let (ours, theirs) = (ada.app("Ours").await, bob.app("Theirs").await);
    let host = json!({ "host": "Shop.Example.ORG" });
    let made = ada.post(&format!("/apps/{ours}/domains"), host.clone()).await;
    assert_eq!(
        (made.status, &made.body["host"], &made.body["verified"]),
        (201, &json!("shop.example.org"), &json!(false)),
        "{made:?}"
    );
    assert_eq!(bob.post(&format!("/apps/{theirs}/domains"), host.clone()).await.status, 201, "wanting proves nothing");
    let verify = format!("/apps/{ours}/domains/shop.example.org/verify");
    assert_eq!(ada.post(&verify, json!({})).await.code(), "domain.not_proven");
    assert!(world.platform.apps.routes.by_domain("shop.example.org").is_none());
    world.dns.txt("_darter.shop.example.org", made.body["challenge"].as_str().unwrap());
    assert_eq!(ada.post(&verify, json!({})).await.body["verified"], true);
    assert_eq!(world.platform.apps.routes.by_domain("shop.example.org").unwrap().app.as_str(), ours);
    world.dns.alias("shop.example.org", &format!("{theirs}.{}", world.apps_domain()));
    let taken = bob.post(&format!("/apps/{theirs}/domains/shop.example.org/verify"), json!({})).await;
    assert_eq!((taken.status, taken.code()), (409, "domain.taken"));
    let by_hand = bob.post(&format!("/apps/{theirs}/domains/shop.example.org/verify?by_hand=true"), json!({})).await;
    assert_eq!(by_hand.status, 403);
    let again = world.restarted().await;
    assert!(again.platform.apps.routes.by_domain("shop.example.org").is_some(), "domains survive a restart");
    assert_eq!(ada.delete(&format!("/apps/{ours}/domains/shop.example.org")).await.status, 204);
    assert!(world.platform.apps.routes.by_domain("shop.example.org").is_none());
    assert_eq!(
        bob.post(&format!("/apps/{theirs}/domains/shop.example.org/verify"), json!({})).await.body["verified"],
        true,
        "by its CNAME"
    );
}

fn line(app: &str, time: i64, message: &str) -> LogRecord {
    LogRecord {
        time,
        app: app.parse().unwrap(),
        source: LogSource::Function,
        level: Level::Info,
        function: "hello".into(),
        version: 1,
        request_id: "r1".into(),
        message: message.into(),
    }
}

#[tokio::test]
async fn logs_are_searched_and_followed_and_belong_to_one_app() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let (ours, theirs) = (ada.app("Ours").await, bob.app("Theirs").await);
    (1..=5).for_each(|time| world.platform.apps.logs.append(line(&ours, time, &format!("line {time}"))));
    world.platform.apps.logs.append(line(&theirs, 9, "theirs"));
    world.platform.apps.logs.flush().await;
    let page = ada.get(&format!("/apps/{ours}/logs?limit=2&function=hello")).await.body;
    assert_eq!((&page["items"][0]["message"], page["items"].as_array().unwrap().len()), (&json!("line 5"), 2));
    let rest = ada.get(&format!("/apps/{ours}/logs?cursor={}", page["next"].as_str().unwrap())).await.body;
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    assert!(!rest.to_string().contains("theirs"));
    assert_eq!(ada.get(&format!("/apps/{theirs}/logs")).await.status, 404);
    let mut tail =
        ada.open(&format!("/apps/{ours}/logs/stream?cursor={}", rest["items"][2]["cursor"].as_str().unwrap())).await;
    assert!(tail.until("line 5").await.contains("event: log"));
    world.platform.apps.logs.append(line(&ours, 6, "live"));
    tail.until("live").await;
    for bad in ["level=loud", "cursor=x", "limit=0", "limit=1001", "since=yesterday"] {
        assert_eq!(ada.get(&format!("/apps/{ours}/logs?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn numbers_are_shown_by_function_and_as_a_picture_of_the_day() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    for (status, start) in [(200, true), (200, false), (503, false)] {
        darter_platform::directory::record(
            &world.platform,
            &RequestRecord {
                time: world.now(),
                app: app.parse().unwrap(),
                function: "hello".into(),
                version: 1,
                request_id: "r".into(),
                method: "GET".into(),
                status,
                duration_us: 1_000,
                request_bytes: 1,
                response_bytes: 1,
                start: start.then(|| StartPhases { from: "pool".into(), phases: vec![("load".into(), 7)] }),
            },
        );
    }
    for range in ["hour", "day", "week"] {
        let metrics = ada.get(&format!("/apps/{app}/metrics?range={range}")).await.body;
        let hello = &metrics["functions"][0];
        assert_eq!(
            (&hello["function"], &hello["calls"], &hello["errors"], &hello["starts"]),
            (&json!("hello"), &json!(3), &json!(1), &json!(1)),
            "{range}"
        );
        let series: u64 =
            metrics["series"].as_array().unwrap().iter().map(|bucket| bucket["calls"].as_u64().unwrap()).sum();
        assert_eq!((series, &metrics["starts"][0]["phases"][0]["us"]), (3, &json!(7)), "{range}");
    }
    assert_eq!(ada.get(&format!("/apps/{app}/metrics?range=eternity")).await.status, 400);
    let day = ada.get(&format!("/apps/{app}")).await.body["day"].clone();
    assert_eq!(
        (day["calls"].as_array().unwrap().len(), &day["calls"][95], &day["errors"][95]),
        (96, &json!(3), &json!(1))
    );
    assert_eq!(ada.get("/apps").await.body["items"][0]["day"], day);
    let text = darter_platform::metrics::metrics_text(&world.platform);
    assert!(
        text.contains("darter_requests_total{class=\"2xx\"} 2") && text.contains("darter_apps{state=\"running\"} 1"),
        "{text}"
    );
}
