//! The client against a peer that keeps to the protocol: bodies, windows, cancellation, draining, the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use darter_wire::testing::Peer;
use darter_wire::{Begin, CloseReason, Connection, RequestHead, Tunnel, WINDOW, WireError, reset};
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};

fn head(headers: &HeaderMap) -> RequestHead<'_> {
    RequestHead {
        method: "POST",
        target: "/hello?a=1",
        request_id: "req_1",
        client_ip: "127.0.0.1",
        deadline_ms: 60_000,
        pin: "3",
        headers,
    }
}

/// A hang is a failure, not a test that never ends.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it ends")
}

#[tokio::test]
async fn a_request_and_its_answer_arrive_as_they_were_sent() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _peer = Peer::start(theirs, |request, answer| async move {
        let seen = format!(
            "{} {} {} {} {} {} {:?}",
            request.method,
            request.target,
            request.request_id,
            request.client_ip,
            request.deadline_ms,
            request.pin,
            request.headers
        );
        let body = request.body.all().await;
        answer.respond(201, &[("x-seen", &seen), ("set-cookie", "a=1"), ("set-cookie", "b=2")], body);
    });
    let connection = Connection::start(ours);
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    let response = soon(connection.request(&head(&headers), Bytes::from_static(b"body"))).await.unwrap();
    assert_eq!(response.status, 201);
    assert_eq!((response.function.as_str(), response.version), ("hello", 1));
    assert_eq!(
        response.headers["x-seen"].as_bytes(),
        "POST /hello?a=1 req_1 127.0.0.1 60000 3 [(\"x-a\", \"1\"), (\"x-a\", \"café\")]".as_bytes()
    );
    assert_eq!(response.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.body.whole_length(), Some(4));
    assert_eq!(response.body.collect(10).await.unwrap().unwrap(), "body");
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test]
async fn bodies_of_any_size_stream_both_ways_within_the_window() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _peer = Peer::start(theirs, |mut request, answer| async move {
        let writer = answer.begin(200, &[]);
        while let Some(chunk) = request.body.chunk().await {
            assert!(writer.send(chunk).await);
        }
        writer.finish();
    });
    let connection = Connection::start(ours);
    let sent: Bytes = (0..5 * WINDOW + 17).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    let (sink, answer) = connection.open(&head(&HeaderMap::new()), Begin::Streaming).unwrap();
    let upload = tokio::spawn({
        let sent = sent.clone();
        async move {
            let mut sink = sink.unwrap();
            sink.send(sent).await.unwrap();
            sink.finish();
        }
    });
    let response = soon(answer).await.unwrap();
    let received = soon(response.body.collect(usize::MAX)).await.unwrap().unwrap();
    assert_eq!(received, sent);
    upload.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_take_the_body_stops_the_sender_at_the_window() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _peer = Peer::start(theirs, |request, _answer| async move {
        request.cancelled.cancelled().await;
    });
    let connection = Connection::start(ours);
    let (sink, answer) = connection.open(&head(&HeaderMap::new()), Begin::Streaming).unwrap();
    let mut sink = sink.unwrap();
    soon(sink.send(vec![0; WINDOW].into())).await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(50), sink.send(vec![0; 1].into())).await;
    assert!(more.is_err(), "the window is full");
    drop(answer);
    assert!(matches!(soon(sink.send(vec![0; 1].into())).await, Err(WireError::Reset { code: reset::CANCELLED, .. })));
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_the_request_in_the_runtime() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (cancelled, mut seen) = mpsc::unbounded_channel();
    let _peer = Peer::start(theirs, move |request, _answer| {
        let cancelled = cancelled.clone();
        async move {
            cancelled.send("started").unwrap();
            request.cancelled.cancelled().await;
            cancelled.send("cancelled").unwrap();
        }
    });
    let connection = Connection::start(ours);
    let (_, answer) = connection.open(&head(&HeaderMap::new()), Begin::Whole(Bytes::new())).unwrap();
    assert_eq!(soon(seen.recv()).await, Some("started"));
    drop(answer);
    assert_eq!(soon(seen.recv()).await, Some("cancelled"));
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test]
async fn a_body_dropped_half_way_cancels_and_the_connection_goes_on() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let gone = Arc::new(Notify::new());
    let told = Arc::clone(&gone);
    let _peer = Peer::start(theirs, move |request, answer| {
        let told = Arc::clone(&told);
        async move {
            if request.target.contains("a=1") {
                let writer = answer.begin(200, &[]);
                while writer.send(vec![7; 60_000]).await {}
                told.notify_one();
            } else {
                answer.respond(204, &[], "");
            }
        }
    });
    let connection = Connection::start(ours);
    let mut response = soon(connection.request(&head(&HeaderMap::new()), Bytes::new())).await.unwrap();
    soon(response.body.chunk()).await.unwrap().unwrap();
    drop(response);
    soon(gone.notified()).await;
    let headers = HeaderMap::new();
    let next = RequestHead { target: "/next", ..head(&headers) };
    assert_eq!(soon(connection.request(&next, Bytes::new())).await.unwrap().status, 204);
}

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel_that_closes_by_halves() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _peer = Peer::start(theirs, |mut request, answer| async move {
        assert!(request.upgrade);
        let writer = answer.upgrade(&[("sec-websocket-accept", "x")]);
        while let Some(chunk) = request.body.chunk().await {
            writer.send(chunk.to_ascii_uppercase()).await;
        }
        writer.send("bye").await;
        writer.finish();
    });
    let connection = Connection::start(ours);
    let (sink, answer) = connection.open(&head(&HeaderMap::new()), Begin::Upgrade).unwrap();
    let response = soon(answer).await.unwrap();
    assert!(response.upgraded && response.status == 101);
    let mut tunnel = Tunnel::new(sink.unwrap(), response.body);
    tunnel.write_all(b"hello ").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut text = String::new();
    soon(tunnel.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "HELLO bye");
}

#[tokio::test]
async fn goaway_refuses_new_requests_and_lets_running_ones_finish() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let release = Arc::new(Notify::new());
    let wait = Arc::clone(&release);
    let peer = Peer::start(theirs, move |_request, answer| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            answer.respond(200, &[], "late");
        }
    });
    let connection = Connection::start(ours);
    let (_, answer) = connection.open(&head(&HeaderMap::new()), Begin::Whole(Bytes::new())).unwrap();
    peer.goaway();
    soon(connection.draining()).await;
    assert!(!connection.accepts_requests());
    let refused = connection.open(&head(&HeaderMap::new()), Begin::Whole(Bytes::new())).unwrap_err();
    assert_eq!(refused, WireError::Draining);
    assert!(refused.is_untouched());
    release.notify_one();
    assert_eq!(soon(answer).await.unwrap().body.collect(9).await.unwrap().unwrap(), "late");
}

#[tokio::test]
async fn the_end_of_the_connection_fails_every_request_and_tells_who_was_never_sent() {
    let (ours, theirs) = tokio::io::duplex(64);
    let connection = Connection::start(ours);
    let mut headers = HeaderMap::new();
    headers.insert("x-long", HeaderValue::from_str(&"a".repeat(500)).unwrap());
    let (_, first) = connection.open(&head(&headers), Begin::Whole(Bytes::new())).unwrap();
    let (_, second) = connection.open(&head(&headers), Begin::Whole(Bytes::new())).unwrap();
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    drop(theirs);
    assert_eq!(soon(first).await.unwrap_err(), WireError::Closed(CloseReason::PeerClosed));
    assert_eq!(soon(second).await.unwrap_err(), WireError::Unsent(CloseReason::PeerClosed));
    assert_eq!(soon(connection.closed()).await, CloseReason::PeerClosed);
    let after = connection.open(&head(&headers), Begin::Whole(Bytes::new())).unwrap_err();
    assert!(after.is_untouched());
}

#[tokio::test]
async fn closing_on_our_side_ends_the_peer_and_every_stream() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let connection = Connection::start(ours);
    let (_, answer) = connection.open(&head(&HeaderMap::new()), Begin::Whole(Bytes::new())).unwrap();
    let mut first = [0u8; 9];
    soon(theirs.read_exact(&mut first)).await.unwrap();
    connection.close();
    assert_eq!(soon(answer).await.unwrap_err(), WireError::Closed(CloseReason::Local));
    let mut rest = Vec::new();
    soon(theirs.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn the_socket_closes_when_the_last_handle_is_gone() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    drop(Connection::start(ours));
    let mut rest = Vec::new();
    assert_eq!(soon(theirs.read_to_end(&mut rest)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_reset_says_what_the_runtime_said() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _peer = Peer::start(theirs, |_request, answer| async move { answer.reset(reset::REFUSED, "draining\n") });
    let connection = Connection::start(ours);
    let error = soon(connection.request(&head(&HeaderMap::new()), Bytes::new())).await.unwrap_err();
    assert_eq!(error, WireError::Reset { code: reset::REFUSED, reason: "draining ".into() });
    assert!(error.is_untouched());
}

#[tokio::test]
async fn heads_that_break_the_rules_never_leave() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let connection = Connection::start(ours);
    let empty = HeaderMap::new();
    for bad in ["/a\nb", "/a\rb", "/a\0b"] {
        let error = connection.open(&RequestHead { target: bad, ..head(&empty) }, Begin::Streaming).unwrap_err();
        assert_eq!(error, WireError::HeadMalformed, "{bad:?}");
    }
    let long = "/".repeat(70_000);
    let error = connection.open(&RequestHead { target: &long, ..head(&empty) }, Begin::Streaming).unwrap_err();
    assert_eq!(error, WireError::HeadTooLarge);
    let error = connection.open(&head(&empty), Begin::Whole(vec![0; WINDOW + 1].into())).unwrap_err();
    assert_eq!(error, WireError::BodyTooLong);
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_requests_share_one_connection() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _peer = Peer::start(theirs, |request, answer| async move {
        let id = request.request_id.clone();
        answer.respond(200, &[], id);
    });
    let connection = Connection::start(ours);
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let connection = connection.clone();
            tokio::spawn(async move {
                for turn in 0..100 {
                    let id = format!("req_{task}_{turn}");
                    let headers = HeaderMap::new();
                    let response = connection
                        .request(&RequestHead { request_id: &id, ..head(&headers) }, Bytes::new())
                        .await
                        .unwrap();
                    assert_eq!(response.body.collect(100).await.unwrap().unwrap(), id);
                }
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(connection.in_flight(), 0);
}
