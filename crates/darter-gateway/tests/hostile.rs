//! Clients that want to break the door: malformed HTTP, smuggling, slow heads.

mod support;

use darter_gateway::GatewayConfig;
use proptest::prelude::*;
use std::time::Duration;
use support::{Answer, HOST, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn count_requests() -> House {
    let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
    // A connection on which nothing more comes ends soon, and `answers` with it.
    config.header_timeout = Duration::from_millis(300);
    let house = House::with(config, |request, answer| async move {
        let target = request.target.clone();
        let body = request.body.all().await;
        answer.respond(200, &[], format!("{target} {}", body.len()));
    })
    .await;
    house.directory.limit(|limits| limits.idle_timeout_ms = 500);
    house
}

/// Sends bytes and leaves.
async fn poke(house: &House, bytes: &[u8]) {
    let mut stream = house.connect().await;
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut all = Vec::new();
    let _ = soon(stream.read_to_end(&mut all)).await;
}

/// Everything that comes back until the gateway closes the connection.
async fn answers(house: &House, bytes: &[u8]) -> String {
    let mut stream = house.connect().await;
    let _ = stream.write_all(bytes).await;
    let mut all = Vec::new();
    let _ = soon(stream.read_to_end(&mut all)).await;
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_second_request_cannot_hide_in_the_first() {
    let house = count_requests().await;
    let hidden = format!("GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    for (what, head, body) in [
        ("two lengths", "Content-Length: 0\r\nContent-Length: 60", hidden.clone()),
        ("a list of lengths", "Content-Length: 0, 60", hidden.clone()),
        ("a signed length", "Content-Length: +0", hidden.clone()),
        ("a negative length", "Content-Length: -1", hidden.clone()),
        ("a hexadecimal length", "Content-Length: 0x0", hidden.clone()),
        ("a length with a space before the colon", "Content-Length : 0", hidden.clone()),
        ("a folded header", "X-A: b\r\n Content-Length: 0", hidden.clone()),
        ("an unknown coding", "Transfer-Encoding: xchunked", hidden.clone()),
        ("chunked not last", "Transfer-Encoding: chunked, identity", hidden.clone()),
        ("a chunk size that is none", "Transfer-Encoding: chunked", format!("0x0\r\n\r\n{hidden}")),
        ("a chunk size that overflows", "Transfer-Encoding: chunked", format!("fffffffffffffffff\r\n\r\n{hidden}")),
        ("a bare line feed in a chunk size", "Transfer-Encoding: chunked", format!("0\n\n{hidden}")),
        ("a chunk longer than it says", "Transfer-Encoding: chunked", format!("1\r\nxx\r\n0\r\n\r\n{hidden}")),
        ("a NUL in a value", "X-A: \0", hidden.clone()),
        ("no host", "Host: other", hidden.clone()),
    ] {
        let request = format!("POST /first HTTP/1.1\r\nHost: {HOST}\r\n{head}\r\n\r\n{body}");
        let text = answers(&house, request.as_bytes()).await;
        assert!(!text.contains("/hidden"), "{what}: {text}");
    }
    // Both framings: chunked counts, the length is ignored, and what follows is a request of its own (RFC 9112, 6.3).
    let both = format!(
        "POST /first HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let text = answers(&house, both.as_bytes()).await;
    assert!(text.contains("/first 0") || text.starts_with("HTTP/1.1 400"), "{text}");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let house = count_requests().await;
    let many = "X-A: b\r\n".repeat(101);
    let long = format!("X-A: {}\r\n", "b".repeat(70_000));
    for (what, bytes, statuses) in [
        ("no request at all", "\x16\x03\x01\x02\x00".to_owned(), &["HTTP/1.1 400", ""][..]),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), &["HTTP/1.1 400"]),
        ("two hosts", format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: {HOST}\r\n\r\n"), &["HTTP/1.1 400"]),
        ("CONNECT", format!("CONNECT {HOST}:80 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), &["HTTP/1.1 405"]),
        ("TRACE", format!("TRACE / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), &["HTTP/1.1 405"]),
        ("a star", format!("OPTIONS * HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), &["HTTP/1.1 400"]),
        ("a space in the path", format!("GET /a b HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), &["HTTP/1.1 400"]),
        ("an old version", format!("GET / HTTP/3.0\r\nHost: {HOST}\r\n\r\n"), &["HTTP/1.1 400", ""]),
        ("too many headers", format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{many}\r\n"), &["HTTP/1.1 431"]),
        ("a head that is too long", format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{long}\r\n"), &["HTTP/1.1 431", ""]),
    ] {
        let text = answers(&house, bytes.as_bytes()).await;
        assert!(
            statuses.iter().any(|status| if status.is_empty() { text.is_empty() } else { text.starts_with(status) }),
            "{what}: {text}"
        );
    }
}

#[tokio::test]
async fn a_target_in_absolute_form_names_the_host() {
    let house = count_requests().await;
    let text =
        answers(&house, format!("GET http://{HOST}/abs?x HTTP/1.1\r\nHost: darter.localhost\r\n\r\n").as_bytes()).await;
    assert!(text.contains("/abs?x 0"), "{text}");
}

#[tokio::test]
async fn heads_that_never_end_are_given_up() {
    let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
    config.header_timeout = Duration::from_millis(300);
    let house = House::with(config, |_request, answer| async move { answer.respond(200, &[], "") }).await;
    for bytes in ["", "PRI", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nX-Slow: "] {
        let mut stream = house.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = async {
            let _ = stream.read_to_end(&mut rest).await;
        };
        if bytes.starts_with("PRI * ") {
            drop(stream);
            continue;
        }
        soon(closed).await;
        assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"), "{bytes:?}");
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_in_the_backlog() {
    let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
    config.max_connections = 1;
    let house = House::with(config, |_request, answer| async move { answer.respond(200, &[], "ok") }).await;
    let mut first = house.connect().await;
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    first.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(soon(Answer::read(&mut first)).await.status, 200);
    let mut second = house.connect().await;
    second.write_all(request.as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_u8()).await;
    assert!(early.is_err(), "the place is taken");
    drop(first);
    assert_eq!(soon(Answer::read(&mut second)).await.status, 200);
}

fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "GET ",
        "POST ",
        "/",
        "/a",
        " HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        "Host: ",
        HOST,
        ":",
        "Content-Length: ",
        "0",
        "5",
        "99",
        "Transfer-Encoding: chunked\r\n",
        "Connection: upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Expect: 100-continue\r\n",
        "hello",
        " ",
        "\t",
        "\0",
        "é",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "Sec-WebSocket-Key: x\r\n",
        "@3",
        "?",
        "#",
        "%00",
        "http://",
        "*",
        "Cookie: a=b; c\r\n",
        "Origin: x\r\n",
    ]);
    let good = Just(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello").into_bytes());
    let soup = prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes());
    let changed = (good, prop::collection::vec((0usize..100, any::<u8>()), 1..4)).prop_map(|(mut bytes, changes)| {
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes
    });
    prop_oneof![soup, changed, prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn any_bytes_are_answered_or_refused_and_the_door_stays_open() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(count_requests());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 800,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&nearly_http(), |bytes| {
            runtime.block_on(poke(&house, &bytes));
            Ok(())
        })
        .unwrap();
    let text = runtime.block_on(answers(&house, format!("GET /still HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()));
    assert!(text.contains("/still 0"), "{text}");
    let open = house.directory.places.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(open, 0, "no place was lost");
}
