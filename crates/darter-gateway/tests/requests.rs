//! Plain requests: where they go, what a function sees, what a client gets.

mod support;

use std::sync::atomic::Ordering;

use darter_core::{Fault, Kind};
use darter_gateway::{GatewayConfig, RouteState};
use darter_wire::testing::{PeerAnswer, PeerRequest};
use support::{Answer, HOST, House, soon};
use tokio::io::AsyncWriteExt;

/// Answers with everything that the function saw.
async fn mirror(request: PeerRequest, answer: PeerAnswer) {
    let mut seen = format!("{} {} pin={}\n", request.method, request.target, request.pin);
    for (name, value) in &request.headers {
        seen.push_str(&format!("{name}: {value}\n"));
    }
    let body = request.body.all().await;
    seen.push_str(&String::from_utf8_lossy(&body));
    answer.respond(200, &[("content-type", "text/plain")], seen);
}

#[tokio::test]
async fn hosts_decide_where_a_request_goes() {
    let house = House::start(mirror).await;
    for (host, status, wanted) in [
        (HOST, 200, "GET /x?y=1 pin="),
        ("ABCDEFGHJK.Darter-Apps.localhost:7070", 200, "GET /x?y=1 pin="),
        ("shop.example.org", 200, "GET /x?y=1 pin="),
        ("darter.localhost", 200, "console /x for 127.0.0.1"),
        ("darter.localhost:7070", 200, "console /x"),
        ("localhost:1", 200, "console /x"),
        ("127.0.0.1", 200, "console /x"),
        ("[::1]:80", 200, "console /x"),
        ("unknownapp.darter-apps.localhost", 404, "app.not_found"),
        ("a.abcdefghjk.darter-apps.localhost", 404, "app.not_found"),
        ("darter-apps.localhost", 404, "app.not_found"),
        ("example.org", 404, "app.not_found"),
        ("xdarter-apps.localhost", 404, "app.not_found"),
    ] {
        let answer = house.send(format!("GET /x?y=1 HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{host}");
        assert!(answer.text().contains(wanted), "{host}: {}", answer.text());
        assert!(answer.header("x-request-id").starts_with("req_"), "{host}");
        assert_eq!(answer.header("x-request-id"), answer.header("request-id"));
    }
}

#[tokio::test]
async fn a_function_sees_who_asks_and_not_what_the_client_says_about_itself() {
    let house = House::start(mirror).await;
    let answer = house
        .get(
            "/f",
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Real-IP: 6.6.6.6\r\n\
             Forwarded: for=6.6.6.6\r\nX-Request-Id: my-request-0001\r\nDarter-Token: secret\r\n\
             Authorization: Bearer dat_secret\r\nCookie: a=1; darter_session=secret\r\nConnection: close, x-hop\r\n\
             X-Hop: 1\r\nTE: trailers\r\nX-Kept: caf\u{e9}\r\n",
        )
        .await;
    let text = answer.text();
    for wanted in [
        "x-forwarded-for: 127.0.0.1\n",
        "x-real-ip: 127.0.0.1\n",
        "x-forwarded-proto: http\n",
        &format!("x-forwarded-host: {HOST}\n"),
        &format!("host: {HOST}\n"),
        "x-request-id: my-request-0001\n",
        "cookie: a=1\n",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    for unwanted in ["6.6.6.6", "evil", "secret", "x-hop", "connection", "te: "] {
        assert!(!text.contains(unwanted), "{unwanted} in {text}");
    }
    assert_eq!(answer.header("x-request-id"), "my-request-0001");
}

#[tokio::test]
async fn other_tokens_are_the_apps_own() {
    let house = House::start(mirror).await;
    let answer = house.get("/f", "Authorization: Bearer eyJ.app.token\r\n").await;
    assert!(answer.text().contains("authorization: Bearer eyJ.app.token\n"));
}

#[tokio::test]
async fn editors_find_the_platform_behind_the_apps_own_doors() {
    let house = House::start(|request, answer| async move { answer.respond(200, &[], request.target) }).await;
    let answer = house.get("/_/typing/package?packageName=x", "Origin: https://ide.example.org\r\n").await;
    assert!(answer.text().starts_with("console /_/apps/abcdefghjk/typing/package for"), "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), "https://ide.example.org");
    assert_eq!(house.directory.acquired.load(Ordering::SeqCst), 0, "the app sleeps on");
    assert_eq!(house.get("/_/healthz", "").await.text(), "/_/healthz");
    house.directory.set_state(RouteState::Stopped);
    assert_eq!(house.get("/_/lsp", "").await.code(), "app.stopped");
}

#[tokio::test]
async fn insane_request_ids_are_replaced() {
    let house = House::start(mirror).await;
    for bad in ["short", "has space in it", "quote\"quote", "<script>alert</script>", &"a".repeat(129)] {
        let answer = house.get("/f", &format!("X-Request-Id: {bad}\r\n")).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{bad}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_only_as_far_as_the_trust_goes() {
    let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    let house = House::with(config, mirror).await;
    let headers = "X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.0.0.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\n";
    let text = house.get("/f", headers).await.text().to_owned();
    for wanted in [
        "x-real-ip: 9.9.9.9\n",
        "x-forwarded-for: 6.6.6.6, 9.9.9.9, 10.0.0.7, 127.0.0.1\n",
        "x-forwarded-proto: https\n",
        "x-forwarded-host: public.example\n",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[tokio::test]
async fn an_old_version_answers_at_its_own_address() {
    let house = House::start(mirror).await;
    let answer = house.get("/api/users@3?a=b", "").await;
    assert!(answer.text().starts_with("GET /api/users?a=b pin=3\n"), "{}", answer.text());
    let missing = house.get("/api/users@9", "").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "function.version_not_found"));
}

#[tokio::test]
async fn answers_arrive_as_the_function_made_them_without_what_is_not_its_business() {
    let house = House::start(|_request, answer| async move {
        answer.respond(
            418,
            &[
                ("content-length", "99999"),
                ("connection", "close"),
                ("keep-alive", "timeout=1"),
                ("transfer-encoding", "chunked"),
                ("x-request-id", "forged"),
                ("set-cookie", "a=1; Domain=darter-apps.localhost; Path=/"),
                ("set-cookie", "b=2"),
                ("x-own", "1"),
            ],
            "teapot",
        );
    })
    .await;
    let answer = house.get("/f", "").await;
    assert_eq!((answer.status, answer.text()), (418, "teapot"));
    assert_eq!(answer.headers["set-cookie"], ["a=1; Path=/", "b=2"]);
    assert_eq!(answer.header("x-own"), "1");
    assert!(answer.header("x-request-id").starts_with("req_"));
    assert_eq!(answer.header("content-length"), "6");
    for gone in ["keep-alive", "transfer-encoding", "connection"] {
        assert!(!answer.headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn head_has_a_length_and_no_body_and_204_has_neither() {
    let house = House::start(|request, answer| async move {
        let status = if request.target == "/empty" { 204 } else { 200 };
        answer.respond(status, &[("content-length", "4")], "body");
    })
    .await;
    let mut stream = house.connect().await;
    for path in ["/f", "/empty"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = soon(Answer::read_head(&mut stream)).await;
        let length = if path == "/f" { "4" } else { "" };
        assert_eq!((answer.status, answer.header("content-length")), (if path == "/f" { 200 } else { 204 }, length));
    }
}

#[tokio::test]
async fn browsers_of_other_sites_are_answered_as_in_laf() {
    let house = House::start(mirror).await;
    let preflight = house
        .send(format!(
            "OPTIONS /f HTTP/1.1\r\nHost: {HOST}\r\nOrigin: https://site.example\r\nAccess-Control-Request-Method: PUT\r\n\
             Access-Control-Request-Headers: x-a, x-b\r\n\r\n"
        ))
        .await;
    assert_eq!(preflight.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://site.example"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "86400"),
        ("access-control-allow-headers", "x-a, x-b"),
        ("access-control-allow-methods", "GET,HEAD,PUT,POST,DELETE,PATCH"),
        ("access-control-expose-headers", "*"),
    ] {
        assert_eq!(preflight.header(name), value, "{name}");
    }
    assert_eq!(house.directory.acquired.load(Ordering::SeqCst), 0, "no function runs for a preflight");
    let simple = house.get("/f", "Origin: null\r\n").await;
    assert_eq!(simple.header("access-control-allow-origin"), "null");
    let own = house.send(format!("OPTIONS /f HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert!(own.text().starts_with("OPTIONS /f"), "an OPTIONS that is no preflight is the function's");
    house.directory.set_state(RouteState::Stopped);
    let stopped = house.get("/f", "Origin: https://site.example\r\n").await;
    assert_eq!(stopped.header("access-control-allow-origin"), "https://site.example", "errors can be read too");
}

#[tokio::test]
async fn problems_are_pages_for_people_and_json_for_programs() {
    let house = House::start(mirror).await;
    house.directory.set_state(RouteState::Stopped);
    let json = house.get("/f", "").await;
    assert_eq!((json.status, json.code().as_str()), (503, "app.stopped"));
    assert!(json.text().contains(json.header("x-request-id")));
    for (language, wanted) in [("en", "This app is resting"), ("zh-CN,en;q=0.5", "应用已停止")] {
        let page = house.get("/f", &format!("Accept: text/html,*/*\r\nAccept-Language: {language}\r\n")).await;
        assert_eq!((page.status, page.header("content-type")), (503, "text/html; charset=utf-8"));
        assert!(page.text().contains(wanted), "{}", page.text());
        assert!(page.text().contains(page.header("x-request-id")));
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert!(!page.text().contains("http://") && !page.text().contains("https://"), "no external assets");
    }
    house.directory.set_state(RouteState::Running);
    let reason = "The app needs <b>more</b> memory.";
    house.directory.fail_with(Fault::new(Kind::Unavailable, "app.start_failed", reason).retry_after(7));
    let failed = house.get("/f", "").await;
    assert_eq!((failed.status, failed.code().as_str(), failed.header("retry-after")), (503, "app.start_failed", "7"));
    let page = house.get("/f", "Accept: text/html\r\n").await;
    assert!(page.text().contains("&lt;b&gt;more"), "{}", page.text());
}

#[tokio::test]
async fn timings_are_for_those_who_may_see_them() {
    let house = House::start(mirror).await;
    let good = house.get("/f", "Darter-Token: good\r\n").await;
    let timing = good.header("server-timing");
    assert!(
        timing.starts_with("total;dur=")
            && timing.contains("start;desc=\"pool\";dur=2.100, pool;dur=0.300, load;dur=1.800"),
        "{timing}"
    );
    for headers in ["", "Darter-Token: bad\r\n"] {
        assert_eq!(house.get("/f", headers).await.header("server-timing"), "");
    }
}

#[tokio::test]
async fn every_request_leaves_a_record() {
    let house = House::start(mirror).await;
    house.send(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello")).await;
    let record = house.record().await;
    assert_eq!((record.app.as_str(), record.function.as_str(), record.version), (support::APP, "hello", 1));
    assert_eq!((record.method.as_str(), record.status, record.request_bytes), ("POST", 200, 5));
    assert!(record.response_bytes > 5 && record.request_id.starts_with("req_"));
    assert_eq!(record.start.unwrap().total_us(), 2_100);
    house.directory.set_state(RouteState::Stopped);
    house.get("/f", "").await;
    assert_eq!(house.record().await.status, 503);
    assert_eq!(house.directory.places.load(Ordering::SeqCst), 0, "every place was given back");
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let house = House::start(mirror).await;
    house.directory.limit(|limits| limits.rate_client = 2);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = house.get("/f", "").await;
        if answer.status == 429 {
            assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("app.rate_limited", "1"));
        }
        statuses.push(answer.status);
    }
    assert!(statuses.starts_with(&[200, 200]) && statuses.contains(&429), "{statuses:?}");
    assert!(house.gateway.snapshot().rate_limited_total >= 1);
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_pipelined_ones_in_order() {
    let house = House::start(mirror).await;
    let mut stream = house.connect().await;
    let requests: String = (0..20).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    for n in 0..20 {
        let answer = soon(Answer::read(&mut stream)).await;
        assert!(answer.text().starts_with(&format!("GET /{n} ")), "{}", answer.text());
    }
}
