//! How the API behaves whatever is asked: other sites, headers, request ids, bodies that are none.

use axum::body::Body;
use darter_testkit::TestPlatform;
use serde_json::json;

#[tokio::test]
async fn another_site_can_not_use_a_browser_s_cookie() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let cookie = format!("darter_session={}", ada.cookie("darter_session").unwrap());
    let send = async |headers: &[(&str, &str)]| {
        let mut request = test.browser().request("POST", "/api/v1/apps").header("cookie", &cookie);
        request.headers_mut().unwrap().remove("origin");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = test.browser().send(request.body(Body::from(r#"{"name":"x"}"#)).unwrap()).await;
        (answer.status, answer.code().to_owned())
    };
    let json_type = ("content-type", "application/json");
    let own = ("origin", "http://darter.localhost:7070");
    for origin in
        ["http://evil.example", "http://a1b2c3d4e5.darter-apps.localhost:7070", "http://darter.localhost", "null"]
    {
        assert_eq!(send(&[json_type, ("origin", origin)]).await.1, "auth.cross_site", "{origin}");
    }
    assert_eq!(send(&[json_type]).await.1, "auth.cross_site", "a browser that does not say");
    assert_eq!(send(&[json_type, ("sec-fetch-site", "same-site")]).await.1, "auth.cross_site");
    assert_eq!(send(&[("content-type", "text/plain"), own]).await.1, "request.content_type", "a form can send this");
    assert_eq!(send(&[json_type, own]).await.0, 201);
    assert_eq!(send(&[json_type, ("sec-fetch-site", "same-origin")]).await.0, 201);
}

#[tokio::test]
async fn the_session_cookie_is_closed_to_scripts_and_to_other_sites() {
    let test = TestPlatform::with(|config| config.public_url = "https://darter.example.org".into()).await;
    let body = json!({ "username": "ada", "email": "ada@example.org", "password": "password of ada" });
    let answer = test.browser().post("/auth/signup", body).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-darter_session="), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let test = TestPlatform::start().await;
    let browser = test.browser();
    for path in ["/api/v1/system", "/api/v1/me", "/api/v1/nothing", "/", "/apps/x", "/api/openapi.json"] {
        let answer = browser.send(browser.request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"), "{path}: {policy}");
        if path.starts_with("/api/v1") {
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn an_error_has_one_shape_and_the_request_s_id() {
    let test = TestPlatform::start().await;
    let browser = test.browser();
    let request = browser.request("GET", "/api/v1/me").header("x-request-id", "req_from-the-gateway");
    let answer = browser.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.code()), (401, "auth.required"));
    assert_eq!(answer.body["error"]["request_id"], "req_from-the-gateway");
    assert_eq!(answer.header("x-request-id"), "req_from-the-gateway");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let strange = browser.request("GET", "/api/v1/me").header("x-request-id", "a b\tc");
    let answer = browser.send(strange.body(Body::empty()).unwrap()).await;
    assert!(answer.header("x-request-id").starts_with("req_0"), "an id that is none is replaced");
}

#[tokio::test]
async fn a_body_that_is_none_gets_a_clear_answer() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    let rows = [
        ("{", "application/json", 400, "request.body_invalid"),
        ("{\"name\":1}", "application/json", 400, "request.body_invalid"),
        ("{\"name\":\"x\",\"scopes\":[\"read\"],\"more\":1}", "application/json", 400, "request.body_invalid"),
        (deep.as_str(), "application/json", 400, "request.body_invalid"),
        ("{}", "application/xml", 400, "request.content_type"),
        (large.as_str(), "application/json; charset=utf-8", 413, "request.too_large"),
    ];
    for (body, kind, status, code) in rows {
        let request = ada.request("POST", "/api/v1/me/tokens").header("content-type", kind);
        let answer = ada.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{}", &body[..body.len().min(60)]);
    }
    for path in ["/me/sessions/nonsense", "/accounts/..%2f..%2fcontrol.db/avatar", "/apps/UPPER"] {
        let method = if path.starts_with("/me") { "DELETE" } else { "GET" };
        assert_eq!(ada.call(method, path, None).await.code(), "request.path_invalid", "{path}");
    }
    assert_eq!(ada.get("/me/audit?limit=x").await.code(), "request.query_invalid");
    assert_eq!(ada.get("/me/audit?cursor=x").await.code(), "page.cursor_malformed");
}

#[tokio::test]
async fn nothing_large_is_read_of_a_stranger() {
    let test = TestPlatform::start().await;
    let send = async |method: &str, path: &str, kind: &str, length: usize| {
        let request = test.browser().request(method, path).header("content-type", kind);
        let answer = test.browser().send(request.body(Body::from(vec![b' '; length])).unwrap()).await;
        (answer.status, answer.code().to_owned())
    };
    for (method, path, kind, length, status, code) in [
        ("POST", "/api/v1/apps/import", "application/zip", 1 << 20, 401, "auth.required"),
        ("PUT", "/api/v1/me/avatar", "image/png", 1 << 20, 401, "auth.required"),
        ("POST", "/api/v1/auth/signin", "application/json", (16 << 10) + 1, 413, "request.too_large"),
        ("POST", "/api/v1/auth/signin", "application/json", 16 << 10, 400, "request.body_invalid"),
    ] {
        assert_eq!(send(method, path, kind, length).await, (status, code.to_owned()), "{method} {path} {length}");
    }
}

#[tokio::test]
async fn long_texts_are_compressed_for_those_who_take_it() {
    let test = TestPlatform::start().await;
    let browser = test.browser();
    let request = browser.request("GET", "/api/openapi.json").header("accept-encoding", "br");
    let answer = browser.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-encoding"), "br");
    let plain = browser.send(browser.request("GET", "/api/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(plain.body["openapi"], "3.1.0");
    assert!(plain.bytes.len() > 4 * answer.bytes.len());
}
