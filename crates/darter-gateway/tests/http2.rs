//! HTTP/2 with prior knowledge, and HTTPS: the same door.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use bytes::Bytes;
use darter_wire::testing::{PeerAnswer, PeerRequest};
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{HOST, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn client(house: &House) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(house.connect().await)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn echo(mut request: PeerRequest, answer: PeerAnswer) {
    if request.upgrade {
        let writer = answer.upgrade(&[("sec-websocket-accept", "x")]);
        while let Some(chunk) = request.body.chunk().await {
            writer.send(chunk.to_ascii_uppercase()).await;
        }
        writer.finish();
        return;
    }
    let host = request.header("host").unwrap_or_default().to_owned();
    let cookie = request.header("cookie").unwrap_or_default().to_owned();
    let body = request.body.all().await;
    let text = String::from_utf8_lossy(&body).into_owned();
    answer.respond(200, &[("connection", "close")], format!("{host} {cookie} {text}"));
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let house = House::start(echo).await;
    let sender = client(&house).await;
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let request = Request::post(format!("http://{HOST}/f"))
                    .header("cookie", "a=1")
                    .header("cookie", "darter_session=secret")
                    .header("cookie", "b=2")
                    .body(Full::from(format!("body {n}")))
                    .unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
                assert!(answer.headers().contains_key("x-request-id"));
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, format!("{HOST} a=1; b=2 body {n}"));
            })
        })
        .collect();
    for call in calls {
        soon(call).await.unwrap();
    }
}

#[tokio::test]
async fn a_websocket_may_come_by_extended_connect() {
    let house = House::start(echo).await;
    let mut sender = client(&house).await;
    // The server's settings, which allow it, come with its first frame.
    let first = Request::get(format!("http://{HOST}/f")).body(Full::default()).unwrap();
    soon(sender.send_request(first)).await.unwrap();
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = format!("http://{HOST}/chat").parse().unwrap();
    request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
    let answer = soon(sender.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let mut tunnel = TokioIo::new(soon(hyper::upgrade::on(answer)).await.unwrap());
    tunnel.write_all(b"hello").await.unwrap();
    let mut text = [0; 5];
    soon(tunnel.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"HELLO");
}

#[tokio::test]
async fn a_client_that_opens_and_resets_streams_without_end_is_sent_away() {
    let house = House::start(|request, _answer| async move { request.cancelled.cancelled().await }).await;
    let mut stream = house.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    // HEADERS (END_STREAM, END_HEADERS): GET, http, /, and an authority; then RST_STREAM, a thousand times over.
    let mut block = vec![0x82, 0x86, 0x84, 0x41, HOST.len() as u8];
    block.extend_from_slice(HOST.as_bytes());
    let mut flood = Vec::new();
    for number in (1u32..4_001).step_by(2) {
        flood.extend_from_slice(&[0, 0, block.len() as u8, 1, 5]);
        flood.extend_from_slice(&number.to_be_bytes());
        flood.extend_from_slice(&block);
        flood.extend_from_slice(&[0, 0, 4, 3, 0]);
        flood.extend_from_slice(&number.to_be_bytes());
        flood.extend_from_slice(&8u32.to_be_bytes());
    }
    let _ = stream.write_all(&flood).await;
    let mut all = Vec::new();
    let _ = soon(stream.read_to_end(&mut all)).await;
    // GOAWAY is type 7; ENHANCE_YOUR_CALM is 11.
    let sent_away = all.windows(17).any(|frame| frame[3] == 7 && frame[13..17] == [0, 0, 0, 11]);
    assert!(sent_away, "{all:?}");
}
