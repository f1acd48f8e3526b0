//! Signing up, in and out.

use darter_api::account::SignUpMode;
use darter_testkit::{Browser, TestPlatform};
use serde_json::{Value, json};

fn signup(name: &str) -> Value {
    json!({ "username": name, "email": format!("{name}@example.org"), "password": format!("password of {name}") })
}

async fn sign_in(browser: &Browser, login: &str, password: &str) -> (u16, String) {
    let answer = browser.post("/auth/signin", json!({ "login": login, "password": password })).await;
    (answer.status, answer.code().to_owned())
}

#[tokio::test]
async fn the_first_account_is_the_administrator_and_the_second_is_not() {
    let test = TestPlatform::start().await;
    assert_eq!(test.browser().get("/auth/methods").await.body["first"], true);
    let ada = test.person("ada").await;
    assert_eq!(ada.get("/me").await.body["administrator"], true);
    assert_eq!(test.browser().get("/auth/methods").await.body["first"], false);
    let bob = test.person("bob").await;
    assert_eq!(bob.get("/me").await.body["administrator"], false);
}

#[tokio::test]
async fn of_many_who_sign_up_at_once_one_is_the_first() {
    let test = TestPlatform::start().await;
    let browsers: Vec<Browser> = (0..6).map(|_| test.browser()).collect();
    let work = browsers
        .iter()
        .enumerate()
        .map(|(number, browser)| browser.post("/auth/signup", signup(&format!("user{number}"))));
    let answers = futures_util::future::join_all(work).await;
    assert_eq!(answers.iter().filter(|answer| answer.body["administrator"] == true).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn one_signs_in_by_name_or_address_in_any_case_and_out() {
    let test = TestPlatform::start().await;
    test.person("ada").await;
    for login in ["ada", "ADA", " ada@Example.org "] {
        let browser = test.browser();
        assert_eq!(sign_in(&browser, login, "password of ada").await.0, 200, "{login}");
        assert_eq!(browser.get("/me").await.body["username"], "ada");
        let stolen = browser.copy();
        assert_eq!(browser.post("/auth/signout", json!({})).await.status, 204);
        assert_eq!(browser.cookie("darter_session"), None);
        assert_eq!(stolen.get("/me").await.code(), "auth.required", "the session has ended on the server too");
    }
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_get_the_same_answer() {
    let test = TestPlatform::start().await;
    test.person("ada").await;
    let mut answers = Vec::new();
    for (login, password) in
        [("ada", "wrong password"), ("nobody", "wrong password"), ("nobody@example.org", ""), ("ada", "")]
    {
        let mut body = test.browser().post("/auth/signin", json!({ "login": login, "password": password })).await.body;
        body["error"]["request_id"] = Value::Null;
        answers.push(body);
    }
    assert_eq!(answers[0]["error"]["code"], "auth.wrong_credentials");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_says_how_long_to_wait() {
    let test = TestPlatform::start().await;
    test.person("ada").await;
    let guesser = test.browser().at("198.51.100.7");
    for _ in 0..5 {
        assert_eq!(sign_in(&guesser, "ada", "wrong password").await.1, "auth.wrong_credentials");
    }
    let answer = guesser.post("/auth/signin", json!({ "login": "ada", "password": "password of ada" })).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"), "even the right one waits");
    assert_eq!(
        sign_in(&test.browser().at("198.51.100.8"), "ada", "password of ada").await.0,
        200,
        "others are not slowed"
    );
    test.clock.advance(1_000);
    assert_eq!(sign_in(&guesser, "ada", "password of ada").await.0, 200);
    assert_eq!(sign_in(&guesser, "ada", "wrong password").await.1, "auth.wrong_credentials", "a right one forgives");
}

#[tokio::test]
async fn a_taken_name_and_a_taken_address_get_the_same_answer() {
    let test = TestPlatform::start().await;
    test.person("ada").await;
    let mut name = signup("ada");
    name["email"] = json!("other@example.org");
    let mut email = signup("other");
    email["email"] = json!("ADA@example.org");
    for body in [name, email] {
        let answer = test.browser().post("/auth/signup", body).await;
        assert_eq!((answer.status, answer.code()), (409, "account.taken"));
    }
}

#[tokio::test]
async fn what_can_not_be_an_account_is_refused_with_its_reason() {
    let test = TestPlatform::start().await;
    test.person("ada").await;
    let rows = [
        ("username", json!("Ünïcode"), "account.username_invalid"),
        ("username", json!("admin"), "account.username_reserved"),
        ("email", json!("no address"), "account.email_invalid"),
        ("password", json!("short"), "account.password_length"),
        ("password", json!("newcomer@example.org"), "account.password_weak"),
        ("display_name", json!("x\u{202e}y"), "account.display_name_invalid"),
        ("colour", json!("blue"), "request.body_invalid"),
    ];
    for (field, value, code) in rows {
        let mut body = signup("newcomer");
        body[field] = value;
        let answer = test.browser().post("/auth/signup", body).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{field}");
    }
    assert_eq!(test.browser().post("/auth/signup", signup("newcomer")).await.status, 201, "nothing was half made");
}

#[tokio::test]
async fn a_closed_door_lets_only_the_first_in() {
    let test = TestPlatform::with(|config| config.signup = SignUpMode::Closed).await;
    test.person("ada").await;
    assert_eq!(test.browser().post("/auth/signup", signup("bob")).await.code(), "signup.closed");
    let alone = TestPlatform::with(|config| config.single_user = true).await;
    let ada = alone.person("ada").await;
    ada.patch("/admin/settings", json!({ "signup": "open" })).await;
    assert_eq!(
        alone.browser().post("/auth/signup", signup("bob")).await.code(),
        "signup.closed",
        "a missing wall wins"
    );
}

#[tokio::test]
async fn an_invitation_lets_in_as_many_as_it_says_for_as_long_as_it_says() {
    let test = TestPlatform::with(|config| config.signup = SignUpMode::Invitation).await;
    let ada = test.person("ada").await;
    assert_eq!(test.browser().post("/auth/signup", signup("bob")).await.code(), "signup.invitation_needed");
    let with = |name: &str, code: &str| {
        let mut body = signup(name);
        body["invitation"] = json!(code);
        body
    };
    let made = ada.post("/invitations", json!({ "uses": 2, "hours": 1 })).await;
    let code = made.body["code"].as_str().unwrap().to_owned();
    assert_eq!(made.body["url"], format!("http://darter.localhost:7070/sign-up?invitation={code}"));
    assert_eq!(test.browser().post("/auth/signup", with("bob", &code)).await.status, 201);
    assert_eq!(test.browser().post("/auth/signup", with("ada", &code)).await.code(), "account.taken");
    assert_eq!(ada.get("/invitations").await.items()[0]["uses_left"], 1, "a failed sign-up used nothing");
    assert_eq!(test.browser().post("/auth/signup", with("cyd", &code)).await.status, 201);
    assert_eq!(test.browser().post("/auth/signup", with("dan", &code)).await.code(), "invitation.invalid");
    let bound = ada.post("/invitations", json!({ "email": "eve@example.org", "hours": 1 })).await;
    let bound = bound.body["code"].as_str().unwrap().to_owned();
    assert_eq!(test.browser().post("/auth/signup", with("dan", &bound)).await.code(), "invitation.invalid");
    test.clock.advance(3_600_000);
    assert_eq!(test.browser().post("/auth/signup", with("eve", &bound)).await.code(), "invitation.invalid");
    let taken_back = ada.post("/invitations", json!({})).await.body;
    let id = taken_back["invitation"]["id"].as_str().unwrap();
    assert_eq!(ada.delete(&format!("/invitations/{id}")).await.status, 204);
    assert_eq!(ada.delete(&format!("/invitations/{id}")).await.code(), "invitation.not_found");
    assert!(ada.get("/invitations").await.items().is_empty());
}

#[tokio::test]
async fn no_secret_lies_in_the_database_as_it_is() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let token = ada.post("/me/tokens", json!({ "name": "ci", "scopes": ["read"] })).await.body["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let invitation = ada.post("/invitations", json!({})).await.body["code"].as_str().unwrap().to_owned();
    let session = ada.cookie("darter_session").unwrap();
    for name in ["control.db", "control.db-wal"] {
        let bytes = std::fs::read(test.data().join(name)).unwrap_or_default();
        for secret in [&token, &invitation, &session, &"password of ada".to_owned()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name} holds {secret}");
        }
    }
}
