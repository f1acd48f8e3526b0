//! Signing in elsewhere, with the real protocols over real connections: OpenID Connect and GitHub's OAuth.

use darter_api::account::SignUpMode;
use darter_platform::ProviderKind;
use darter_testkit::{Answer, Browser, FakeProvider, Lie, Signing, Stranger, TestPlatform};
use serde_json::json;

async fn world() -> (FakeProvider, TestPlatform) {
    with_mode(SignUpMode::Open).await
}

async fn with_mode(mode: SignUpMode) -> (FakeProvider, TestPlatform) {
    // Installed before the provider's own client needs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = FakeProvider::start().await;
    let configs = vec![provider.config("sso", ProviderKind::Oidc), provider.config("github", ProviderKind::Github)];
    let test = TestPlatform::with(|config| {
        config.signup = mode;
        config.providers = configs;
    })
    .await;
    (provider, test)
}

/// Goes to the provider, agrees, and comes back: the answer to the callback.
async fn through(browser: &Browser, id: &str, query: &str) -> Answer {
    let started = browser.get(&format!("/auth/providers/{id}/start{query}")).await;
    assert_eq!(started.status, 302, "{started:?}");
    let back = FakeProvider::follow(started.header("location")).await.unwrap();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("code", &back.code), ("state", &back.state), ("error", &back.error)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    browser.get(&format!("/auth/providers/{id}/callback?{}", query.finish())).await
}

#[tokio::test]
async fn a_newcomer_gets_an_account_and_comes_back_to_the_same_one() {
    for id in ["sso", "github"] {
        let (provider, test) = world().await;
        provider.is_used_by(Stranger::new(7, "Grace-H"));
        let browser = test.browser();
        let answer = through(&browser, id, "?return_to=/apps/abc").await;
        assert_eq!((answer.status, answer.header("location")), (302, "/apps/abc"), "{id}: {answer:?}");
        let me = browser.get("/me").await.body;
        assert_eq!(
            (&me["username"], &me["has_password"], &me["administrator"]),
            (&json!("grace-h"), &json!(false), &json!(true))
        );
        assert_eq!(browser.cookie("darter_flow"), None);
        let again = test.browser();
        through(&again, id, "").await;
        assert_eq!(again.get("/me").await.body["id"], me["id"]);
    }
}

#[tokio::test]
async fn a_provider_may_sign_with_an_elliptic_curve() {
    let (provider, test) = world().await;
    provider.signs_with(Signing::Es256);
    let browser = test.browser();
    assert_eq!(through(&browser, "sso", "").await.header("location"), "/");
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test]
async fn an_id_token_with_anything_wrong_signs_nobody_in() {
    let (provider, test) = world().await;
    for lie in Lie::TOKEN.into_iter().chain(Lie::ANSWER) {
        provider.lies(Some(lie));
        let browser = test.browser();
        let started = browser.get("/auth/providers/sso/start").await;
        if started.status != 302 {
            assert_eq!(started.code(), "provider.failed", "{lie:?}");
            continue;
        }
        let answer = {
            let back = FakeProvider::follow(started.header("location")).await.unwrap();
            let (code, state) = (back.code.unwrap(), back.state.unwrap());
            browser.get(&format!("/auth/providers/sso/callback?code={code}&state={state}")).await
        };
        assert_eq!(answer.header("location"), "/sign-in?error=provider.failed", "{lie:?}");
        assert_eq!(browser.get("/me").await.status, 401, "{lie:?}");
    }
    assert_eq!(provider.misled(), 0, "a redirect was followed with the secret");
    provider.lies(None);
    assert_eq!(test.browser().get("/auth/methods").await.body["first"], true, "nobody was made");
}

#[tokio::test]
async fn an_address_that_is_known_is_never_linked_by_itself() {
    for verified in [true, false] {
        let (provider, test) = world().await;
        test.person("ada").await;
        provider.is_used_by(Stranger {
            email: Some("ada@example.org".into()),
            email_verified: verified,
            ..Stranger::new(9, "mallory")
        });
        let browser = test.browser();
        let answer = through(&browser, "sso", "").await;
        if verified {
            assert_eq!(answer.header("location"), "/sign-in?error=identity.email_taken");
            assert_eq!(browser.get("/me").await.status, 401);
        } else {
            let me = browser.get("/me").await.body;
            assert_eq!(
                (&me["username"], &me["email"]),
                (&json!("mallory"), &json!("")),
                "an unproven address is not believed"
            );
        }
    }
}

#[tokio::test]
async fn an_identity_is_bound_and_unbound_but_never_the_last_way_in() {
    let (provider, test) = world().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    provider.is_used_by(Stranger::new(5, "ada-elsewhere"));
    let answer = through(&ada, "github", "?bind=true&return_to=/account").await;
    assert_eq!(answer.header("location"), "/account");
    assert_eq!(ada.get("/me/identities").await.items()[0]["label"], "ada-elsewhere");
    let taken = through(&bob, "github", "?bind=true&return_to=/account").await;
    assert_eq!(taken.header("location"), "/account?error=identity.taken");
    let browser = test.browser();
    through(&browser, "github", "").await;
    assert_eq!(browser.get("/me").await.body["username"], "ada");
    assert_eq!(ada.delete("/me/identities/github").await.status, 204);
    assert_eq!(ada.delete("/me/identities/github").await.code(), "identity.not_found");
    let only = test.browser();
    through(&only, "github", "").await;
    assert_eq!(only.get("/me").await.body["username"], "ada-elsewhere");
    assert_eq!(only.delete("/me/identities/github").await.code(), "identity.last");
    only.post("/me/password", json!({ "new": "a new password" })).await;
    assert_eq!(only.delete("/me/identities/github").await.status, 204);
    assert_eq!(test.browser().get("/auth/providers/github/start?bind=true").await.status, 401);
}

#[tokio::test]
async fn another_site_can_not_bind_an_account_of_its_choice() {
    let (_provider, test) = world().await;
    let ada = test.person("ada").await;
    let start = async |headers: &[(&str, &str)], bind: bool| {
        let path = format!("/api/v1/auth/providers/github/start?bind={bind}");
        let mut request = ada.request("GET", &path);
        request.headers_mut().unwrap().remove("sec-fetch-site");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = ada.send(request.body(axum::body::Body::empty()).unwrap()).await;
        if answer.status == 302 { "begun".to_owned() } else { answer.code().to_owned() }
    };
    for (headers, bind, expected) in [
        (&[("sec-fetch-site", "cross-site")][..], true, "auth.cross_site"),
        (&[("sec-fetch-site", "same-site")], true, "auth.cross_site"),
        (&[("referer", "http://evil.example/http://darter.localhost:7070/")], true, "auth.cross_site"),
        (&[("referer", "http://darter.localhost:7070.evil.example/")], true, "auth.cross_site"),
        (&[], true, "auth.cross_site"),
        (&[("sec-fetch-site", "same-origin")], true, "begun"),
        (&[("sec-fetch-site", "none")], true, "begun"),
        (&[("referer", "http://darter.localhost:7070/account/security")], true, "begun"),
        (&[("sec-fetch-site", "cross-site")], false, "begun"),
    ] {
        assert_eq!(start(headers, bind).await, expected, "{headers:?} {bind}");
    }
}

#[tokio::test]
async fn a_callback_that_this_browser_did_not_begin_is_refused() {
    let (_provider, test) = world().await;
    let attacker = test.browser();
    let started = attacker.get("/auth/providers/sso/start").await;
    let back = FakeProvider::follow(started.header("location")).await.unwrap();
    let callback = format!("/auth/providers/sso/callback?code={}&state={}", back.code.unwrap(), back.state.unwrap());
    let victim = test.browser();
    assert_eq!(victim.get(&callback).await.header("location"), "/sign-in?error=provider.expired", "no cookie");
    victim.get("/auth/providers/sso/start").await;
    assert_eq!(victim.get(&callback).await.header("location"), "/sign-in?error=provider.expired", "another state");
    assert_eq!(
        attacker.get(&callback.replace("/sso/", "/github/")).await.header("location"),
        "/sign-in?error=provider.expired"
    );
    let late = test.browser();
    let started = late.get("/auth/providers/sso/start").await;
    let back = FakeProvider::follow(started.header("location")).await.unwrap();
    test.clock.advance(600_001);
    let callback = format!("/auth/providers/sso/callback?code={}&state={}", back.code.unwrap(), back.state.unwrap());
    assert_eq!(late.get(&callback).await.header("location"), "/sign-in?error=provider.expired", "too late");
    assert_eq!(late.get("/me").await.status, 401);
}

#[tokio::test]
async fn the_mode_of_sign_up_holds_for_newcomers_from_elsewhere() {
    let (provider, test) = with_mode(SignUpMode::Invitation).await;
    let ada = test.person("ada").await;
    provider.is_used_by(Stranger::new(3, "cyd"));
    let refused = through(&test.browser(), "sso", "?return_to=/apps").await;
    assert_eq!(refused.header("location"), "/sign-in?error=signup.invitation_needed&return_to=%2Fapps");
    let code = ada.post("/invitations", json!({})).await.body["code"].as_str().unwrap().to_owned();
    let browser = test.browser();
    through(&browser, "sso", &format!("?invitation={code}")).await;
    assert_eq!(browser.get("/me").await.body["username"], "cyd");
}

#[tokio::test]
async fn whoever_says_no_comes_back_with_a_word_why_and_never_to_another_site() {
    let (provider, test) = world().await;
    provider.is_refused(true);
    let answer = through(&test.browser(), "github", "?return_to=//evil.example/x").await;
    assert_eq!(answer.header("location"), "/sign-in?error=provider.denied");
    provider.is_refused(false);
    for bad in ["https://evil.example", "//evil.example", "/%5Cevil.example"] {
        assert_eq!(
            through(&test.browser(), "github", &format!("?return_to={bad}")).await.header("location"),
            "/",
            "{bad}"
        );
    }
    let methods = test.browser().get("/auth/methods").await.body;
    assert_eq!(methods["providers"], json!([{ "id": "sso", "name": "sso" }, { "id": "github", "name": "GitHub" }]));
}
