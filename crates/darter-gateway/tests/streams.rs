//! Bodies and tunnels: both ways, slow clients, limits, clocks, the end.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use support::{Answer, HOST, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

async fn echo_websocket(mut request: darter_wire::testing::PeerRequest, answer: darter_wire::testing::PeerAnswer) {
    let key = request.header("sec-websocket-key").unwrap_or_default().to_owned();
    assert_eq!((request.header("upgrade"), request.header("connection")), (Some("websocket"), Some("Upgrade")));
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let writer = answer.upgrade(&[("sec-websocket-accept", &accept)]);
    // Frames of a client are masked; this echo unmasks short ones.
    while let Some(frame) = request.body.chunk().await {
        let length = usize::from(frame[1] & 0x7f);
        let (mask, payload) = (&frame[2..6], &frame[6..6 + length]);
        let plain: Vec<u8> = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        writer.send([&[frame[0], length as u8][..], &plain].concat()).await;
        if frame[0] & 0x0f == 8 {
            break;
        }
    }
    writer.finish();
}

#[tokio::test]
async fn a_websocket_passes_through() {
    let house = House::start(echo_websocket).await;
    let request = format!("ws://{HOST}/chat").into_client_request().unwrap();
    let (mut socket, answer) = tokio_tungstenite::client_async(request, house.connect().await).await.unwrap();
    assert!(answer.headers().contains_key("x-request-id"));
    for text in ["one", "two", "three"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text(text));
    }
    assert_eq!(house.gateway.snapshot().tunnels_open, 1);
    socket.close(None).await.unwrap();
    while soon(socket.next()).await.is_some_and(|message| message.is_ok()) {}
    assert_eq!(house.record().await.status, 101);
}

#[tokio::test]
async fn an_upgrade_that_the_function_refuses_is_an_ordinary_answer() {
    let house = House::start(|_request, answer| async move { answer.respond(401, &[], "no") }).await;
    let answer = house
        .get("/chat", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n")
        .await;
    assert_eq!((answer.status, answer.text()), (401, "no"));
}

#[tokio::test]
async fn a_stopping_gateway_says_goodbye_to_websockets() {
    let house = House::start(echo_websocket).await;
    let request = format!("ws://{HOST}/chat").into_client_request().unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, house.connect().await).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    soon(socket.next()).await.unwrap().unwrap();
    house.stop();
    let Some(Ok(Message::Close(Some(frame)))) = soon(socket.next()).await else { panic!("a close frame comes") };
    assert_eq!(u16::from(frame.code), 1001);
    drop(socket);
    house.ended().await;
}

#[tokio::test]
async fn a_silent_websocket_is_closed_after_the_idle_time() {
    let house = House::start(echo_websocket).await;
    house.directory.limit(|limits| limits.idle_timeout_ms = 200);
    let request = format!("ws://{HOST}/chat").into_client_request().unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, house.connect().await).await.unwrap();
    assert!(matches!(soon(socket.next()).await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let house = House::start(|mut request, answer| async move {
        let writer = answer.begin(200, &[("content-type", "text/event-stream")]);
        while let Some(chunk) = request.body.chunk().await {
            writer.send(chunk.to_ascii_uppercase()).await;
        }
        writer.finish();
    })
    .await;
    let mut stream = house.connect().await;
    let head = format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = soon(Answer::read_head(&mut stream)).await;
    assert_eq!((answer.status, answer.header("transfer-encoding")), (200, "chunked"));
    for text in ["abc", "defgh"] {
        stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.unwrap();
        let wanted = format!("{:X}\r\n{}\r\n", text.len(), text.to_uppercase());
        let mut got = vec![0; wanted.len()];
        soon(stream.read_exact(&mut got)).await.unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), wanted);
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut end = [0; 5];
    soon(stream.read_exact(&mut end)).await.unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_function_and_not_the_memory() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let house = House::start(move |_request, answer| {
        let counter = Arc::clone(&counter);
        async move {
            let writer = answer.begin(200, &[]);
            for _ in 0..4_096 {
                if !writer.send(vec![b'x'; 65_536]).await {
                    return;
                }
                counter.fetch_add(65_536, Ordering::SeqCst);
            }
            writer.finish();
        }
    })
    .await;
    house.directory.limit(|limits| limits.idle_timeout_ms = 500);
    let mut stream = house.connect().await;
    stream.write_all(format!("GET /f HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    let answer = soon(Answer::read_head(&mut stream)).await;
    assert_eq!(answer.status, 200);
    // The idle time ends it: until then the function could send as much as there is room for.
    house.record().await;
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent > 0 && sent < 32 << 20, "{sent} of 256 MiB went ahead of the client");
    drop(stream);
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let house = House::start(|request, answer| async move {
        let body = request.body.all().await;
        let sum = body.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        answer.respond(200, &[], format!("{} {sum}", body.len()));
    })
    .await;
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    let mut stream = house.connect().await;
    stream
        .write_all(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())
        .await
        .unwrap();
    stream.write_all(&body).await.unwrap();
    let answer = soon(Answer::read(&mut stream)).await;
    assert_eq!(answer.text(), format!("3000000 {sum}"));
    assert_eq!(house.record().await.request_bytes, 3_000_000);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_it_is_announced_or_not() {
    let house = House::start(|request, answer| async move {
        request.body.all().await;
        answer.respond(200, &[], "");
    })
    .await;
    house.directory.limit(|limits| limits.request_body_bytes = 100_000);
    let announced = house.send(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100001\r\n\r\n")).await;
    assert_eq!((announced.status, announced.code().as_str()), (413, "request.too_large"));
    assert_eq!(house.directory.acquired.load(Ordering::SeqCst), 0, "no instance was woken for it");
    let chunk = format!("{:x}\r\n{}\r\n", 50_000, "x".repeat(50_000));
    let streamed =
        format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}0\r\n\r\n");
    let streamed = house.send(streamed).await;
    assert_eq!((streamed.status, streamed.code().as_str()), (413, "request.too_large"));
    let fits = house
        .send(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"))
        .await;
    assert_eq!(fits.status, 200);
}

#[tokio::test]
async fn a_function_that_never_answers_gets_504_and_is_told_that_nobody_waits() {
    let cancelled = Arc::new(Notify::new());
    let told = Arc::clone(&cancelled);
    let house = House::start(move |request, answer| {
        let told = Arc::clone(&told);
        async move {
            request.cancelled.cancelled().await;
            told.notify_one();
            drop(answer);
        }
    })
    .await;
    for (total, idle, code) in [(200, 60_000, "function.timeout"), (60_000, 200, "function.idle_timeout")] {
        house.directory.limit(|limits| (limits.total_timeout_ms, limits.idle_timeout_ms) = (total, idle));
        let answer = house.get("/f", "").await;
        assert_eq!((answer.status, answer.code().as_str()), (504, code));
        soon(cancelled.notified()).await;
    }
    assert_eq!(house.directory.places.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_stops_half_way_is_cut_and_never_looks_whole() {
    let house = House::start(|request, answer| async move {
        // More than a window, so that the end cannot arrive together with the head.
        let length = if request.target == "/short" { vec![("content-length", "500000")] } else { vec![] };
        let writer = answer.begin(200, &length);
        writer.send(vec![b'x'; 400_000]).await;
        match request.target.as_str() {
            "/short" => writer.finish(),
            "/reset" => writer.reset(3, "failed"),
            _ => request.cancelled.cancelled().await,
        }
    })
    .await;
    house.directory.limit(|limits| limits.idle_timeout_ms = 300);
    for path in ["/short", "/reset", "/hang"] {
        let answer = house.get(path, "").await;
        assert_eq!((answer.status, answer.cut), (200, true), "{path}");
        house.record().await;
    }
    assert_eq!(house.directory.places.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let events = Arc::new(Notify::new());
    let told = Arc::clone(&events);
    let house = House::start(move |request, answer| {
        let told = Arc::clone(&told);
        async move {
            told.notify_one();
            request.cancelled.cancelled().await;
            told.notify_one();
            drop(answer);
        }
    })
    .await;
    let mut stream = house.connect().await;
    stream.write_all(format!("GET /f HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    soon(events.notified()).await;
    drop(stream);
    soon(events.notified()).await;
    assert_eq!(house.record().await.status, 499);
}

#[tokio::test]
async fn an_instance_that_dies_is_named_and_safe_requests_try_another() {
    let die = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&die);
    let asked = Arc::new(Notify::new());
    let told = Arc::clone(&asked);
    let house = House::start(move |request, answer| {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        let told = Arc::clone(&told);
        async move {
            if number == 0 || request.method == "POST" {
                told.notify_one();
                request.cancelled.cancelled().await;
            } else {
                answer.respond(200, &[], format!("try {number}"));
            }
        }
    })
    .await;
    let killer = async {
        for _ in 0..2 {
            asked.notified().await;
            house.directory.instance().close();
        }
    };
    let calls = async {
        let safe = house.get("/f", "").await;
        assert_eq!((safe.status, safe.text()), (200, "try 1"));
        let unsafe_one = house.send(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!((unsafe_one.status, unsafe_one.code().as_str()), (502, "app.crashed"));
    };
    soon(async { tokio::join!(killer, calls) }).await;
}

#[tokio::test]
async fn an_instance_that_is_going_away_costs_nobody_a_request() {
    let house = House::start(|_request, answer| async move { answer.respond(200, &[], "ok") }).await;
    for _ in 0..50 {
        assert_eq!(house.get("/f", "").await.status, 200);
        house.directory.instance().goaway();
        let post = house.send(format!("POST /f HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\nhi")).await;
        assert_eq!(post.status, 200);
    }
}

#[tokio::test]
async fn draining_finishes_what_runs_and_takes_nothing_new() {
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&begun), Arc::clone(&release));
    let house = House::start(move |_request, answer| {
        let (told, wait) = (Arc::clone(&told), Arc::clone(&wait));
        async move {
            told.notify_one();
            wait.notified().await;
            answer.respond(200, &[], Bytes::from_static(b"finished"));
        }
    })
    .await;
    let idle = house.connect().await;
    let mut stream = house.connect().await;
    stream.write_all(format!("GET /f HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    soon(begun.notified()).await;
    house.stop();
    drop(idle);
    release.notify_one();
    let answer = soon(Answer::read(&mut stream)).await;
    assert_eq!((answer.status, answer.text()), (200, "finished"));
    house.ended().await;
    assert!(tokio::net::TcpStream::connect(house.address).await.is_err(), "the listener is closed");
}
