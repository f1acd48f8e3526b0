//! Clients that take nothing or give nothing: each is let go of after the idle time, and its place with it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use darter_gateway::GatewayConfig;
use darter_wire::testing::{PeerAnswer, PeerRequest};
use futures_util::SinkExt;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{Answer, HOST, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// 64 MiB: more than any socket takes.
async fn flood(request: PeerRequest, answer: PeerAnswer) {
    let writer = if request.upgrade {
        let key = request.header("sec-websocket-key").unwrap_or_default().to_owned();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        // It listens all the while.
        let mut body = request.body;
        tokio::spawn(async move { while body.chunk().await.is_some() {} });
        answer.upgrade(&[("sec-websocket-accept", &accept)])
    } else if request.target == "/small" {
        return answer.respond(200, &[], "small");
    } else {
        answer.begin(200, &[])
    };
    for _ in 0..1_024 {
        if !writer.send(vec![b'x'; 65_536]).await {
            return;
        }
    }
    writer.finish();
}

/// A house in which a stop waits for ever: it ends only when every connection has.
async fn patient_house() -> House {
    let mut config = GatewayConfig::new("darter.localhost", "darter-apps.localhost");
    config.drain_grace = Duration::from_secs(3_600);
    config.header_timeout = Duration::from_millis(300);
    config.stall_timeout = Duration::from_millis(300);
    let house = House::with(config, flood).await;
    house.directory.limit(|limits| limits.idle_timeout_ms = 300);
    house
}

async fn nobody_is_left(house: &House) {
    house.stop();
    house.ended().await;
    assert_eq!(house.gateway.snapshot().connections_open, 0);
    assert_eq!(house.directory.places.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_never_reads_its_answer_is_let_go_of() {
    let house = patient_house().await;
    let mut stream = house.connect().await;
    stream.write_all(format!("GET /f HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    let answer = soon(Answer::read_head(&mut stream)).await;
    assert_eq!(answer.status, 200);
    house.record().await;
    nobody_is_left(&house).await;
    // Still open on the client's side: what the kernel kept comes, and then the end.
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(rest.len() < 64 << 20);
}

type Sender = http2::SendRequest<Empty<Bytes>>;

/// A connection, and what resolves when it has ended.
async fn http2(house: &House) -> (Sender, tokio::task::JoinHandle<()>) {
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(house.connect().await)).await.unwrap();
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{HOST}{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn an_http2_stream_that_is_given_no_window_is_reset_and_the_others_go_on() {
    let house = patient_house().await;
    let (mut sender, _connection) = http2(&house).await;
    let stalled = soon(sender.send_request(get("/f"))).await.unwrap();
    let small = soon(sender.send_request(get("/small"))).await.unwrap();
    assert_eq!(soon(small.into_body().collect()).await.unwrap().to_bytes(), "small");
    // One record each: the stalled one is written when its body is dropped.
    house.record().await;
    house.record().await;
    let small = soon(sender.send_request(get("/small"))).await.unwrap();
    assert_eq!(soon(small.into_body().collect()).await.unwrap().to_bytes(), "small");
    assert!(soon(stalled.into_body().collect()).await.is_err(), "cut, and never looks whole");
    nobody_is_left(&house).await;
}

#[tokio::test]
async fn an_http2_client_that_does_not_read_at_all_is_let_go_of() {
    let house = patient_house().await;
    let mut stream = house.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    // SETTINGS with a window of 2^31-1 for streams, WINDOW_UPDATE of the connection by nearly as much.
    stream.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]).await.unwrap();
    stream.write_all(&[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0]).await.unwrap();
    let mut block = vec![0x82, 0x86, 0x84, 0x41, HOST.len() as u8];
    block.extend_from_slice(HOST.as_bytes());
    stream.write_all(&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1]).await.unwrap();
    stream.write_all(&block).await.unwrap();
    house.record().await;
    nobody_is_left(&house).await;
}

#[tokio::test]
async fn a_quiet_http2_connection_is_told_to_go() {
    let house = patient_house().await;
    let (mut sender, connection) = http2(&house).await;
    let small = soon(sender.send_request(get("/small"))).await.unwrap();
    assert_eq!(soon(small.into_body().collect()).await.unwrap().to_bytes(), "small");
    soon(connection).await.unwrap();
    assert!(sender.is_closed());
    nobody_is_left(&house).await;
}

#[tokio::test]
async fn a_websocket_whose_client_writes_and_never_reads_is_closed() {
    for h2 in [false, true] {
        let house = patient_house().await;
        if h2 {
            let (mut sender, _connection) = http2(&house).await;
            // The server's settings, which allow extended CONNECT, come with its first frame.
            soon(sender.send_request(get("/small"))).await.unwrap().into_body().collect().await.unwrap();
            house.record().await;
            let mut request = Request::new(Empty::new());
            *request.method_mut() = Method::CONNECT;
            *request.uri_mut() = format!("http://{HOST}/chat").parse().unwrap();
            request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
            let answer = soon(sender.send_request(request)).await.unwrap();
            let mut tunnel = TokioIo::new(soon(hyper::upgrade::on(answer)).await.unwrap());
            let chatter = async {
                while tunnel.write_all(b"still here").await.is_ok() {
                    tokio::task::yield_now().await;
                }
            };
            soon(chatter).await;
        } else {
            let request = format!("ws://{HOST}/chat").into_client_request().unwrap();
            let (mut socket, _) = tokio_tungstenite::client_async(request, house.connect().await).await.unwrap();
            let chatter = async {
                while socket.send(Message::text("still here")).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            };
            soon(chatter).await;
        }
        nobody_is_left(&house).await;
    }
}

#[tokio::test]
async fn a_console_request_whose_body_does_not_come_is_answered() {
    let house = patient_house().await;
    let answer = house.send("POST /whole HTTP/1.1\r\nHost: darter.localhost\r\nContent-Length: 5\r\n\r\nhi").await;
    assert_eq!(answer.status, 400);
    let whole = house.send("POST /whole HTTP/1.1\r\nHost: darter.localhost\r\nContent-Length: 2\r\n\r\nhi").await;
    assert_eq!(whole.text(), "hi");
}
