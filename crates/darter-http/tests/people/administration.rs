//! What an administrator of the server may, and what is written down.

use darter_testkit::{Browser, TestPlatform};
use serde_json::{Value, json};

async fn id(browser: &Browser) -> String {
    browser.get("/me").await.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_by_every_way() {
    let test = TestPlatform::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let program = bob.token(&["read"]).await;
    assert_eq!((bob.get("/me").await.status, program.get("/me").await.status), (200, 200));
    let path = format!("/admin/accounts/{}", id(&bob).await);
    assert_eq!(ada.patch(&path, json!({ "disabled": true })).await.body["disabled"], true);
    assert_eq!((bob.get("/me").await.status, program.get("/me").await.status), (401, 401));
    let right = test.browser().post("/auth/signin", json!({ "login": "bob", "password": "password of bob" })).await;
    assert_eq!(right.code(), "account.disabled");
    let wrong = test.browser().post("/auth/signin", json!({ "login": "bob", "password": "wrong password" })).await;
    assert_eq!(wrong.code(), "auth.wrong_credentials", "only who knows the password learns it");
    ada.patch(&path, json!({ "disabled": false })).await;
    assert_eq!(bob.get("/me").await.status, 401, "old sessions stay ended");
    assert_eq!(program.get("/me").await.status, 200);
}

#[tokio::test]
async fn rights_change_at_once_and_the_last_administrator_stays() {
    let test = TestPlatform::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let (of_ada, of_bob) = (id(&ada).await, id(&bob).await);
    for body in [json!({ "administrator": false }), json!({ "disabled": true })] {
        let answer = ada.patch(&format!("/admin/accounts/{of_ada}"), body).await;
        assert_eq!((answer.status, answer.code()), (409, "account.last_administrator"));
    }
    assert_eq!(bob.get("/admin/settings").await.code(), "account.not_administrator");
    ada.patch(&format!("/admin/accounts/{of_bob}"), json!({ "administrator": true })).await;
    assert_eq!(bob.get("/admin/settings").await.status, 200);
    assert_eq!(bob.patch(&format!("/admin/accounts/{of_ada}"), json!({ "administrator": false })).await.status, 200);
    assert_eq!(ada.get("/admin/settings").await.code(), "account.not_administrator");
}

#[tokio::test]
async fn accounts_come_in_pages() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    for number in 0..4 {
        test.operator().create_account((&format!("user{number}"), None), None, (false, false)).await.unwrap();
    }
    let mut names = Vec::new();
    let mut path = "/admin/accounts?limit=2".to_owned();
    loop {
        let page = ada.get(&path).await;
        assert!(page.items().len() <= 2);
        names.extend(page.items().iter().map(|one| one["username"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/admin/accounts?limit=2&cursor={next}");
    }
    names.sort();
    assert_eq!(names, ["ada", "user0", "user1", "user2", "user3"]);
}

#[tokio::test]
async fn settings_change_what_happens_next() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    assert_eq!(ada.get("/admin/settings").await.body, json!({ "signup": "open", "apps_per_account": 50 }));
    let changed = ada.patch("/admin/settings", json!({ "apps_per_account": 1 })).await.body;
    assert_eq!(changed, json!({ "signup": "open", "apps_per_account": 1 }));
    assert_eq!(ada.post("/apps", json!({ "name": "one" })).await.status, 201);
    assert_eq!(ada.post("/apps", json!({ "name": "two" })).await.code(), "app.quota_reached");
    let answer = ada.patch("/admin/settings", json!({ "apps_per_account": 4_000_000 })).await;
    assert_eq!(answer.code(), "settings.out_of_range");
}

#[tokio::test]
async fn every_change_is_written_down_without_its_secrets() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    ada.patch("/me", json!({ "display_name": "Ada" })).await;
    let token = ada.post("/me/tokens", json!({ "name": "ci", "scopes": ["read"] })).await.body;
    ada.post("/me/password", json!({ "current": "password of ada", "new": "a new password" })).await;
    ada.post("/invitations", json!({})).await;
    ada.patch("/admin/settings", json!({ "signup": "closed" })).await;
    let app = ada.post("/apps", json!({ "name": "Shop" })).await.body["id"].as_str().unwrap().to_owned();
    let all = ada.get("/audit?limit=200").await;
    let operations: Vec<&str> = all.items().iter().map(|entry| entry["operation"].as_str().unwrap()).collect();
    for operation in [
        "account.create",
        "account.update",
        "token.create",
        "account.change_password",
        "invitation.create",
        "settings.update",
        "app.create",
    ] {
        assert!(operations.contains(&operation), "{operation} is missing in {operations:?}");
    }
    let text = all.body.to_string();
    for secret in ["a new password", "password of ada", token["secret"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{secret}");
    }
    let made = all.items().iter().find(|entry| entry["operation"] == "account.create").unwrap();
    assert_eq!((&made["actor_name"], &made["address"]), (&json!("ada"), &json!("192.0.2.1")));
    assert!(made["request_id"].as_str().unwrap().starts_with("req_"));
    let own = ada.get(&format!("/apps/{app}/audit")).await;
    assert_eq!(own.items().iter().map(|entry| &entry["operation"]).collect::<Vec<&Value>>(), ["app.create"]);
    let first = ada.get("/audit?limit=2").await;
    let next = first.body["next"].as_str().unwrap();
    let second = ada.get(&format!("/audit?limit=2&cursor={next}")).await;
    assert!(second.items()[0]["id"].as_str().unwrap() < first.items()[1]["id"].as_str().unwrap());
}
