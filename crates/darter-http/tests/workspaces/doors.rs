//! The door: who is handed over, what a code and a visit open, and what ends them.

use darter_core::WorkspaceId;
use darter_core::workspace::Door;
use darter_platform::workspace::door::{Spot, by_access_token, redeem, visit};
use darter_testkit::{Answer, Browser, TestPlatform};
use serde_json::json;

use crate::world::{path, until, workspace};

async fn knock(browser: &Browser, to: &str) -> Answer {
    let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
    browser.send(browser.request("GET", &format!("/enter?to={to}")).body(axum::body::Body::empty()).unwrap()).await
}

fn code_of(answer: &Answer) -> String {
    answer.header("location").split("code=").nth(1).unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn editor(id: &WorkspaceId) -> Spot {
    Spot { id: id.clone(), port: None }
}

fn code<T>(result: Result<T, darter_core::Fault>) -> Option<&'static str> {
    result.err().map(|fault| fault.code)
}

fn valid(test: &TestPlatform, spot: &Spot, pass: &str) -> bool {
    let now = darter_core::Clock::now(&*test.clock);
    test.platform.workspaces.pass_key.verify(pass, (&spot.id, spot.door()), now).is_some()
}

#[tokio::test]
async fn a_browser_is_handed_over_once_and_comes_back_without_the_console() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    let host = format!("http://ada-{id}.darter-apps.localhost:7070");
    let answer = knock(&ada, &format!("{host}/?folder=/home/user")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (303, "no-store"), "{answer:?}");
    assert!(answer.header("location").starts_with(&format!("{host}/.darter/enter?code=")));
    let (spot, secret) = (editor(&id), code_of(&answer));
    let theirs = workspace(&ada).await;
    assert_eq!(code(redeem(&test.platform, &editor(&theirs), &secret).await), Some("door.code_invalid"));
    let entry = redeem(&test.platform, &spot, &secret).await.unwrap();
    assert_eq!(entry.to, "/?folder=/home/user");
    assert_eq!(code(redeem(&test.platform, &spot, &secret).await), Some("door.code_invalid"), "a code works once");
    assert!(valid(&test, &spot, &entry.pass) && !valid(&test, &editor(&theirs), &entry.pass));
    assert!(!valid(&test, &Spot { port: Some(3_000), ..spot.clone() }, &entry.pass), "not for a port");
    test.clock.advance(60_000);
    assert!(!valid(&test, &spot, &entry.pass));
    let held = entry.visit.unwrap();
    let again = visit(&test.platform, &spot, &held).await.unwrap().unwrap();
    assert!(valid(&test, &spot, &again.pass) && again.visit.is_none());
    assert_eq!(visit(&test.platform, &editor(&theirs), &held).await.unwrap(), None);
    assert_eq!(visit(&test.platform, &Spot { port: Some(1), ..spot.clone() }, &held).await.unwrap(), None);
    test.clock.advance(6 * 86_400_000);
    assert!(visit(&test.platform, &spot, &held).await.unwrap().is_some(), "each visit moves its end");
    test.clock.advance(6 * 86_400_000);
    assert!(visit(&test.platform, &spot, &held).await.unwrap().is_some());
    test.clock.advance(7 * 86_400_000);
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None);
}

#[tokio::test]
async fn a_code_is_too_old_after_a_minute() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    let opened = ada.post(&path(&id, "/open"), json!({ "path": "//evil.test" })).await;
    let now = darter_core::Clock::now(&*test.clock);
    assert_eq!((opened.status, &opened.body["expires_at"]), (200, &json!(now + 60_000)), "{opened:?}");
    let secret = opened.body["url"].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
    test.clock.advance(59_999);
    let fresh = ada.post(&path(&id, "/open"), json!({ "path": "//evil.test" })).await;
    let fresh = fresh.body["url"].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
    assert_eq!(redeem(&test.platform, &editor(&id), &fresh).await.unwrap().to, "/", "no way to another host");
    test.clock.advance(1);
    assert_eq!(code(redeem(&test.platform, &editor(&id), &secret).await), Some("door.code_invalid"));
}

#[tokio::test]
async fn whoever_may_not_enter_is_sent_to_their_own_list_and_whoever_is_not_known_to_sign_in() {
    let test = TestPlatform::start().await;
    let (ada, eve) = (test.person("ada").await, test.person("eve").await);
    let id = workspace(&ada).await;
    let host = format!("http://ada-{id}.darter-apps.localhost:7070");
    for (browser, to) in [(&eve, host.clone()), (&eve, format!("http://3000-{id}.darter-apps.localhost:7070/"))] {
        let answer = knock(browser, &to).await;
        assert_eq!(answer.header("location"), "/workspaces?refused=workspace.not_found", "{to}");
    }
    let gone = knock(&eve, "http://ada-aaaaaaaaaa.darter-apps.localhost:7070/").await;
    assert_eq!(
        gone.header("location"),
        "/workspaces?refused=workspace.not_found",
        "the same as for one that is not there"
    );
    let stranger = knock(&test.browser(), &host).await;
    let back = "/sign-in?return_to=%2Fenter%3Fto%3Dhttp%253A%252F%252Fada-";
    assert!(stranger.header("location").starts_with(back), "{stranger:?}");
    for evil in [
        "https://evil.test/",
        "//evil.test",
        "javascript:alert(1)",
        "http://evil.test/.darter-apps.localhost:7070",
        &format!("http://ada-{id}.darter-apps.localhost.evil.test:7070/"),
        &format!("http://ada-{id}.darter-apps.localhost/"),
        &format!("https://ada-{id}.darter-apps.localhost:7070/"),
        &format!("http://x@ada-{id}.darter-apps.localhost:7070/"),
        "",
    ] {
        let answer = knock(&ada, evil).await;
        assert_eq!(answer.header("location"), "/workspaces?refused=door.address_invalid", "{evil}");
    }
    ada.delete(&path(&id, "")).await;
    assert_eq!(knock(&ada, &host).await.header("location"), "/workspaces?refused=workspace.not_found");
}

#[tokio::test]
async fn a_visit_ends_with_the_session_the_right_and_the_workspace() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    let host = format!("http://ada-{id}.darter-apps.localhost:7070/");
    let spot = editor(&id);
    let come = async || {
        let secret = code_of(&knock(&ada, &host).await);
        redeem(&test.platform, &spot, &secret).await.unwrap().visit.unwrap()
    };
    let held = come().await;
    ada.delete(&path(&id, "")).await;
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None, "it is in the recycle bin");
    ada.post(&path(&id, "/restore"), json!({})).await;
    assert!(visit(&test.platform, &spot, &held).await.unwrap().is_some());
    let mut tx = test.platform.store.write().await.unwrap();
    let account = darter_store::account::by_login(&mut tx, "ada").await.unwrap().unwrap().id;
    let viewer = (darter_core::role::Role::Viewer, 1);
    darter_store::workspace_member::set(&mut tx, &id, &account, viewer).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None, "to look is not to enter");
    let mut tx = test.platform.store.write().await.unwrap();
    let owner = (darter_core::role::Role::Owner, 1);
    darter_store::workspace_member::set(&mut tx, &id, &account, owner).await.unwrap();
    tx.commit().await.unwrap();
    let late = code_of(&knock(&ada, &host).await);
    assert_eq!(ada.post("/auth/signout", json!({})).await.status, 204);
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None, "it ends with the session");
    assert_eq!(code(redeem(&test.platform, &spot, &late).await), Some("door.code_invalid"), "and so do its codes");
}

#[tokio::test]
async fn a_program_enters_with_a_token_that_may_write() {
    let test = TestPlatform::start().await;
    let (ada, eve) = (test.person("ada").await, test.person("eve").await);
    let id = workspace(&ada).await;
    let token = async |browser: &Browser, scopes: &[&str]| {
        let made = browser.post("/me/tokens", json!({ "name": "t", "scopes": scopes })).await;
        made.body["secret"].as_str().unwrap().to_owned()
    };
    let (write, read, other) =
        (token(&ada, &["write"]).await, token(&ada, &["read"]).await, token(&eve, &["write"]).await);
    let port = Spot { port: Some(3_000), ..editor(&id) };
    let enter = async |spot: &Spot, token: &str| code(by_access_token(&test.platform, spot, token).await);
    assert_eq!((enter(&editor(&id), &write).await, enter(&port, &read).await), (None, None));
    assert_eq!(enter(&editor(&id), &read).await, Some("token.scope_missing"));
    assert_eq!(enter(&editor(&id), &other).await, Some("workspace.not_found"));
    assert_eq!(enter(&port, "dat_nothing").await, Some("token.invalid"));
}

#[tokio::test]
async fn a_port_opens_for_those_whom_its_owner_lets_in() {
    let test = TestPlatform::start().await;
    let (ada, eve) = (test.person("ada").await, test.person("eve").await);
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    test.workspaces.see(&id, |status| {
        let (address, name) = ("127.0.0.1".into(), "node\u{1b}[31m".into());
        status.ports.push(darter_engine::workspace::OpenPort { port: 3_000, address, name });
    });
    let listed = ada.get(&path(&id, "/ports")).await;
    let shown = &listed.items()[0];
    let host = format!("http://3000-{id}.darter-apps.localhost:7070");
    assert_eq!(
        (&shown["port"], &shown["visibility"], &shown["listening"], &shown["url"]),
        (&json!(3_000), &json!("private"), &json!(true), &json!(host))
    );
    let spot = Spot { id: id.clone(), port: Some(3_000) };
    assert_eq!(spot.door(), Door::Port(3_000));
    assert_eq!(knock(&eve, &host).await.header("location"), "/workspaces?refused=workspace.not_found");
    let set = async |visibility: &str| {
        let body = Some(json!({ "visibility": visibility }));
        let set = ada.call("PUT", &path(&id, "/ports/3000"), body).await;
        assert_eq!((set.status, &set.body["visibility"]), (200, &json!(visibility)), "{set:?}");
    };
    set("signed_in").await;
    let held = redeem(&test.platform, &spot, &code_of(&knock(&eve, &host).await)).await.unwrap().visit.unwrap();
    assert!(visit(&test.platform, &spot, &held).await.unwrap().is_some());
    set("private").await;
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None);
    set("public").await;
    let ports = test.platform.workspaces.plate(&id).unwrap().ports.clone();
    assert_eq!(ports[&3_000].0, darter_core::workspace::port::Visibility::Public);
    let again = test.restarted().await;
    assert_eq!(again.platform.workspaces.plate(&id).unwrap().ports, ports, "it is loaded at the start");
    assert_eq!(ada.delete(&path(&id, "/ports/3000")).await.status, 204);
    assert!(test.platform.workspaces.plate(&id).unwrap().ports.is_empty());
    for (number, code) in
        [("0", "port.number_invalid"), ("3128", "port.number_invalid"), ("70000", "request.path_invalid")]
    {
        let refused = ada.call("PUT", &path(&id, &format!("/ports/{number}")), Some(json!({}))).await;
        assert_eq!(refused.code(), code, "{number}");
    }
}

#[tokio::test]
async fn a_share_link_opens_one_port_until_it_ends() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    let share = async |body| ada.post(&path(&id, "/ports/8080/shares"), body).await;
    assert_eq!(share(json!({ "for_ms": 1 })).await.code(), "limit.out_of_range");
    let made = share(json!({ "for_ms": 3_600_000 })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let url = made.body["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://8080-{id}.darter-apps.localhost:7070/.darter/enter?code=share_")));
    let secret = url.split("code=").nth(1).unwrap().to_owned();
    let (spot, other) = (Spot { id: id.clone(), port: Some(8_080) }, Spot { id: id.clone(), port: Some(1) });
    for elsewhere in [&other, &editor(&id), &editor(&workspace(&ada).await)] {
        assert_eq!(code(redeem(&test.platform, elsewhere, &secret).await), Some("door.code_invalid"));
    }
    let first = redeem(&test.platform, &spot, &secret).await.unwrap();
    let second = redeem(&test.platform, &spot, &secret).await.unwrap();
    assert!(valid(&test, &spot, &first.pass) && first.visit != second.visit);
    let held = first.visit.unwrap();
    assert!(visit(&test.platform, &spot, &held).await.unwrap().is_some());
    let listed = ada.get(&path(&id, "/shares")).await;
    assert_eq!((listed.items().len(), &listed.items()[0]["url"]), (1, &json!(null)), "the secret is shown once");
    let share_id = made.body["id"].as_str().unwrap();
    assert_eq!(ada.delete(&path(&id, &format!("/shares/{share_id}"))).await.status, 204);
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None);
    assert_eq!(code(redeem(&test.platform, &spot, &secret).await), Some("door.code_invalid"));
    assert_eq!(ada.delete(&path(&id, &format!("/shares/{share_id}"))).await.code(), "port.share_not_found");
    let made = share(json!({ "for_ms": 60_000 })).await;
    let secret = made.body["url"].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
    let held = redeem(&test.platform, &spot, &secret).await.unwrap().visit.unwrap();
    test.clock.advance(60_000);
    assert_eq!(visit(&test.platform, &spot, &held).await.unwrap(), None, "no visit outlives its link");
    assert_eq!(code(redeem(&test.platform, &spot, &secret).await), Some("door.code_invalid"));
}

#[tokio::test]
async fn a_copy_has_the_home_and_a_copy_that_fails_leaves_nothing() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    test.workspaces.take();
    let copied = ada.post(&path(&id, "/clone"), json!({ "name": "Copy" })).await;
    assert_eq!((copied.status, &copied.body["desired"], &copied.body["name"]), (201, &json!("asleep"), &json!("Copy")));
    assert_eq!(test.workspaces.take(), ["copy home"]);
    let awake = darter_core::Fault::conflict("workspace.awake", "It runs.");
    *test.workspaces.copy_fault.lock().unwrap() = Some(awake);
    assert_eq!(ada.post(&path(&id, "/clone"), json!({ "name": "Copy" })).await.status, 201);
    let calls = ["copy home", "export ", "replace", "stop", "import 33"];
    assert_eq!(test.workspaces.take(), calls, "read from inside while it runs");
    let full = darter_core::Fault::new(darter_core::Kind::Unavailable, "server.disk_full", "Full.");
    *test.workspaces.copy_fault.lock().unwrap() = Some(full);
    assert_eq!(ada.post(&path(&id, "/clone"), json!({ "name": "Copy" })).await.code(), "server.disk_full");
    assert_eq!(ada.get("/workspaces").await.items().len(), 3);
    assert!(ada.get("/workspaces?desired=recycled").await.items().is_empty());
}
