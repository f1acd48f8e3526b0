//! Changing and resetting passwords.

use darter_platform::MailConfig;
use darter_testkit::TestPlatform;
use serde_json::json;

async fn can_sign_in(test: &TestPlatform, password: &str) -> bool {
    test.browser().post("/auth/signin", json!({ "login": "ada", "password": password })).await.status == 200
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let other = test.browser();
    other.post("/auth/signin", json!({ "login": "ada", "password": "password of ada" })).await;
    assert_eq!(other.get("/me").await.status, 200);
    let rows = [
        (json!({ "new": "a new password" }), "account.password_wrong"),
        (json!({ "current": "wrong", "new": "a new password" }), "account.password_wrong"),
        (json!({ "current": "password of ada", "new": "short" }), "account.password_length"),
    ];
    for (body, code) in rows {
        assert_eq!(ada.post("/me/password", body).await.code(), code);
    }
    let changed = ada.post("/me/password", json!({ "current": "password of ada", "new": "a new password" })).await;
    assert_eq!(changed.status, 204);
    assert_eq!((ada.get("/me").await.status, other.get("/me").await.status), (200, 401));
    assert!(can_sign_in(&test, "a new password").await && !can_sign_in(&test, "password of ada").await);
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_a_mail_that_works_once() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    for login in ["ADA@example.org", "nobody", "nobody@example.org"] {
        let answer = test.browser().post("/auth/password/forgot", json!({ "login": login })).await;
        assert_eq!((answer.status, answer.bytes.len()), (202, 0), "{login}");
    }
    let mails = test.mails().await;
    assert_eq!(mails.len(), 1, "only who exists gets a mail");
    assert!(mails[0].contains("To: ada@example.org"));
    let text = mails[0].replace("=\r\n", "").replace("=3D", "=");
    let token = text.split("/reset?token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let reset = async |token: &str| {
        let body = json!({ "token": token, "new": "a new password" });
        let answer = test.browser().post("/auth/password/reset", body).await;
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(reset("wrong").await.1, "account.reset_invalid");
    assert_eq!(reset(&token).await.0, 204);
    assert_eq!(reset(&token).await.1, "account.reset_invalid", "it works once");
    assert_eq!(ada.get("/me").await.status, 401, "who was signed in with the old one is signed out");
    assert!(can_sign_in(&test, "a new password").await && !can_sign_in(&test, "password of ada").await);
}

#[tokio::test]
async fn a_reset_code_ends_after_an_hour_and_when_a_new_one_is_made() {
    let test = TestPlatform::start().await;
    test.person("ada").await;
    let operator = test.operator();
    let choose = async |token: &str, password: &str| {
        test.browser().post("/auth/password/reset", json!({ "token": token, "new": password })).await.status
    };
    let (first, second) =
        (operator.reset_token("ada").await.unwrap(), operator.reset_token("ada@example.org").await.unwrap());
    assert_eq!(choose(&first, "a new password").await, 400);
    assert_eq!(choose(&second, "a new password").await, 204);
    let third = operator.reset_token("ada").await.unwrap();
    test.clock.advance(3_600_000);
    assert_eq!(choose(&third, "too late now").await, 400);
    assert_eq!(operator.reset_token("nobody").await.map_err(|fault| fault.code), Err("account.not_found"));
}

#[tokio::test]
async fn without_a_way_to_send_mails_the_answer_is_the_same() {
    let test = TestPlatform::with(|config| config.mail = MailConfig::default()).await;
    test.person("ada").await;
    assert_eq!(test.browser().get("/auth/methods").await.body["mail"], false);
    assert_eq!(test.browser().post("/auth/password/forgot", json!({ "login": "ada" })).await.status, 202);
    assert!(test.mails().await.is_empty());
}

#[tokio::test]
async fn the_operator_makes_an_account_with_a_token_and_no_password() {
    let test = TestPlatform::start().await;
    let made = test.operator().create_account(("root-user", None), None, (true, true)).await.unwrap();
    let program = test.browser().with_token(&made.token.unwrap());
    let me = program.get("/me").await.body;
    assert_eq!((&me["administrator"], &me["has_password"]), (&json!(true), &json!(false)));
    assert_eq!(program.get("/admin/accounts").await.status, 200);
    let chosen = program.post("/me/password", json!({ "new": "a new password" })).await;
    assert_eq!(chosen.status, 204, "the first password needs no current one");
}
