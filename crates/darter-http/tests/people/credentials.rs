//! Sessions and tokens: what they may, how long, and that their end is at once.

use darter_testkit::TestPlatform;
use serde_json::json;

const DAY: i64 = 24 * 3_600_000;

#[tokio::test]
async fn sessions_are_listed_and_end_at_once_when_they_are_ended() {
    let test = TestPlatform::start().await;
    let laptop = test.person("ada").await;
    let phone = test.browser().at("203.0.113.9");
    phone.post("/auth/signin", json!({ "login": "ada", "password": "password of ada" })).await;
    assert_eq!(phone.get("/me").await.status, 200, "it is in memory now");
    let listed = laptop.get("/me/sessions").await;
    assert_eq!(listed.items().len(), 2);
    let other = listed.items().iter().find(|one| one["current"] == false).unwrap();
    assert_eq!(other["address"], "203.0.113.9");
    let id = other["id"].as_str().unwrap();
    assert_eq!(laptop.delete(&format!("/me/sessions/{id}")).await.status, 204);
    assert_eq!(phone.get("/me").await.code(), "auth.required");
    assert_eq!(laptop.delete(&format!("/me/sessions/{id}")).await.code(), "session.not_found");
    for _ in 0..2 {
        phone.post("/auth/signin", json!({ "login": "ada", "password": "password of ada" })).await;
    }
    assert_eq!(laptop.delete("/me/sessions").await.status, 204);
    assert_eq!((laptop.get("/me").await.status, phone.get("/me").await.status), (200, 401));
}

#[tokio::test]
async fn what_belongs_to_another_account_is_not_found() {
    let test = TestPlatform::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let session = ada.get("/me/sessions").await.items()[0]["id"].as_str().unwrap().to_owned();
    let token = ada.post("/me/tokens", json!({ "name": "ci", "scopes": ["read"] })).await;
    let token = token.body["token"]["id"].as_str().unwrap().to_owned();
    assert_eq!(bob.delete(&format!("/me/sessions/{session}")).await.code(), "session.not_found");
    assert_eq!(bob.delete(&format!("/me/tokens/{token}")).await.code(), "token.not_found");
    assert_eq!(bob.get("/me/tokens").await.items().len(), 0);
    assert!(bob.get("/me/audit").await.items().iter().all(|entry| entry["actor_name"] == "bob"));
    assert_eq!((ada.get("/me").await.status, ada.get("/me/tokens").await.items().len()), (200, 1));
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_used() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    for _ in 0..5 {
        test.clock.advance(29 * DAY);
        assert_eq!(ada.get("/me").await.status, 200);
        test.platform.settle().await;
    }
    test.clock.advance(30 * DAY);
    assert_eq!(ada.get("/me").await.status, 401);
}

#[tokio::test]
async fn a_session_ends_after_half_a_year_however_much_it_is_used() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let mut days = 0;
    while ada.get("/me").await.status == 200 {
        test.platform.settle().await;
        test.clock.advance(20 * DAY);
        days += 20;
        assert!(days <= 200, "it never ends");
    }
    assert_eq!(days, 180);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_until_it_ends() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let (reads, writes, administers) =
        (ada.token(&["read"]).await, ada.token(&["write"]).await, ada.token(&["admin"]).await);
    assert_eq!(reads.get("/me").await.status, 200);
    assert_eq!(reads.post("/apps", json!({ "name": "x" })).await.code(), "token.scope_missing");
    assert_eq!(writes.post("/apps", json!({ "name": "x" })).await.status, 201);
    assert_eq!(writes.get("/apps").await.items().len(), 1);
    assert_eq!(writes.patch("/me", json!({ "display_name": "x" })).await.code(), "token.scope_missing");
    assert_eq!(administers.patch("/me", json!({ "display_name": "x" })).await.status, 200);
    assert_eq!(administers.post("/apps", json!({ "name": "x" })).await.code(), "token.scope_missing");
    let more = administers.post("/me/tokens", json!({ "name": "more", "scopes": ["write"] })).await;
    assert_eq!(more.code(), "token.scope_missing", "a token can not make one that may more than itself");
    let end = darter_core::Clock::now(&*test.clock) + DAY;
    let short = ada.post("/me/tokens", json!({ "name": "short", "scopes": ["read"], "expires_at": end })).await;
    let short = ada.with_token(short.body["secret"].as_str().unwrap());
    assert_eq!(short.get("/me").await.status, 200);
    test.clock.advance(DAY);
    assert_eq!(short.get("/me").await.code(), "token.invalid");
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_at_once_and_its_use_was_noted() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let program = ada.token(&["read"]).await;
    assert_eq!(program.get("/me").await.status, 200);
    test.platform.settle().await;
    let listed = ada.get("/me/tokens").await;
    let token = &listed.items()[0];
    assert!(token["last_used_at"].is_i64() && token.get("secret").is_none());
    assert!(token["hint"].as_str().unwrap().starts_with("dat_"));
    assert_eq!(ada.delete(&format!("/me/tokens/{}", token["id"].as_str().unwrap())).await.status, 204);
    assert_eq!(program.get("/me").await.code(), "token.invalid");
}

#[tokio::test]
async fn what_can_not_be_a_token_is_refused() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let rows = [
        (json!({ "name": " ", "scopes": ["read"] }), "token.name_invalid"),
        (json!({ "name": "x", "scopes": [] }), "token.scopes_invalid"),
        (json!({ "name": "x", "scopes": ["everything"] }), "request.body_invalid"),
        (json!({ "name": "x", "scopes": ["read"], "expires_at": 1 }), "token.expiry_invalid"),
    ];
    for (body, code) in rows {
        assert_eq!(ada.post("/me/tokens", body).await.code(), code);
    }
    for bad in ["", "dat_", "dat_nothing", "other"] {
        let answer = ada.with_token(bad).get("/me").await;
        assert_eq!((answer.status, answer.code()), (401, "token.invalid"), "{bad:?}");
    }
}

#[tokio::test]
async fn a_repeated_creation_gets_its_first_answer_and_makes_nothing_more() {
    let test = TestPlatform::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let send = async |browser: &darter_testkit::Browser, key: &str, name: &str| {
        let body = json!({ "name": name, "scopes": ["read"] }).to_string();
        let request = browser.request("POST", "/api/v1/me/tokens").header("content-type", "application/json");
        browser.send(request.header("idempotency-key", key).body(body.into()).unwrap()).await
    };
    let (first, second) = (send(&ada, "one", "ci").await, send(&ada, "one", "ci").await);
    assert_eq!((first.status, &first.bytes), (201, &second.bytes));
    assert_eq!((first.header("idempotent-replayed"), second.header("idempotent-replayed")), ("", "true"));
    assert_eq!(send(&ada, "one", "another").await.code(), "idempotency.key_reused");
    assert_eq!(send(&bob, "one", "ci").await.header("idempotent-replayed"), "", "a key belongs to its account");
    assert_eq!(send(&ada, "bad key", "ci").await.code(), "idempotency.key_invalid");
    assert_eq!(send(&ada, "two", "").await.code(), "token.name_invalid");
    assert_eq!(send(&ada, "two", "now right").await.status, 201, "what made nothing does not use its key up");
    assert_eq!(ada.get("/me/tokens").await.items().len(), 2);
    test.clock.advance(DAY + 1);
    assert_eq!(send(&ada, "one", "ci").await.header("idempotent-replayed"), "");
    let secret = first.body["secret"].as_str().unwrap();
    let database = std::fs::read(test.data().join("control.db-wal")).unwrap();
    assert!(
        !database.windows(secret.len()).any(|window| window == secret.as_bytes()),
        "a kept answer shows its secret"
    );
}
