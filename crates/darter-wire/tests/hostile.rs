//! A runtime that is taken over: whatever it sends, the client answers with a typed error, never with a panic, a hang
//! or memory without bound.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use darter_wire::testing::put_response;
use darter_wire::{Begin, CloseReason, Connection, RequestHead, Violation, WINDOW, WireError};
use http::HeaderMap;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32_le(u32::try_from(payload.len()).unwrap());
    out.put_u8(kind);
    out.put_u32_le(stream);
    out.put_slice(payload);
    out
}

fn response(stream: u32, flags: u8, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_response(&mut out, stream, flags, status, ("f", 1), headers, body);
    out.to_vec()
}

fn raw_head(head: &[u8]) -> Vec<u8> {
    let mut payload = vec![0];
    payload.put_u16_le(200);
    payload.put_u32_le(u32::try_from(head.len()).unwrap());
    payload.put_slice(head);
    frame(6, 1, &payload)
}

fn open(connection: &Connection) -> darter_wire::Answer {
    let headers = HeaderMap::new();
    let head = RequestHead {
        method: "GET",
        target: "/",
        request_id: "r",
        client_ip: "::1",
        deadline_ms: 0,
        pin: "",
        headers: &headers,
    };
    connection.open(&head, Begin::Whole(Bytes::new())).unwrap().1
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it ends")
}

/// Opens stream 1, lets the peer write `bytes` and close; how the connection ended.
async fn ended_by(bytes: &[u8]) -> CloseReason {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let connection = Connection::start(ours);
    let answer = open(&connection);
    let consumer = tokio::spawn(async move {
        if let Ok(mut response) = answer.await {
            while let Some(Ok(_)) = response.body.chunk().await {}
        }
    });
    // The client may close while we write: that is the expected end.
    let _ = theirs.write_all(bytes).await;
    let _ = theirs.shutdown().await;
    let reason = soon(connection.closed()).await;
    soon(consumer).await.unwrap();
    reason
}

#[tokio::test]
async fn every_violation_closes_the_connection_and_is_named() {
    use Violation as V;
    let begun = response(1, 0, 200, &[], b"");
    let then = |more: Vec<u8>| [begun.clone(), more].concat();
    let many: Vec<(&str, &str)> = vec![("a", "b"); 1_001];
    let rows: Vec<(Violation, Vec<u8>)> = vec![
        (V::FrameTooLong, frame(2, 1, &vec![0; 65_537])),
        (V::FrameTooLong, [0xff, 0xff, 0xff, 0xff, 6, 1, 0, 0, 0].to_vec()),
        (V::FrameTooLong, frame(3, 1, b"x")),
        (V::FrameTooLong, frame(7, 0, b"x")),
        (V::FrameTooShort, frame(2, 1, b"")),
        (V::FrameTooShort, frame(4, 1, b"abc")),
        (V::FrameTooShort, frame(6, 1, b"abcdef")),
        (V::UnknownType, frame(1, 1, b"GET")),
        (V::UnknownType, frame(0, 1, b"")),
        (V::UnknownType, frame(8, 1, b"")),
        (V::UnknownStream, response(2, 1, 200, &[], b"")),
        (V::UnknownStream, frame(5, 0, &[1, 0, 0, 0])),
        (V::UnknownFlags, response(1, 4, 200, &[], b"")),
        (V::UnknownFlags, response(1, 3, 101, &[], b"")),
        (V::UnknownFlags, response(1, 2, 101, &[], b"")),
        (V::InvalidStatus, response(1, 0, 101, &[], b"")),
        (V::InvalidStatus, response(1, 0, 100, &[], b"")),
        (V::InvalidStatus, response(1, 0, 0, &[], b"")),
        (V::InvalidStatus, response(1, 0, 1000, &[], b"")),
        (V::OutOfOrder, frame(2, 1, b"x")),
        (V::OutOfOrder, frame(3, 1, b"")),
        (V::SecondResponse, then(begun.clone())),
        (V::OutOfOrder, then([frame(3, 1, b""), frame(3, 1, b"")].concat())),
        (V::WindowOverflow, then(frame(5, 1, &[0; 4]))),
        (V::MalformedHead, raw_head(b"f")),
        (V::MalformedHead, raw_head(b"f\n1\nname")),
        (V::MalformedHead, raw_head(b"f\nx\na\nb")),
        (V::MalformedHead, raw_head(b"f\n-1\na\nb")),
        (V::MalformedHead, raw_head(b"f\n99999999999\na\nb")),
        (V::MalformedHead, raw_head(b"f\n1\nUpper\nb")),
        (V::MalformedHead, raw_head(b"f\n1\na b\nb")),
        (V::MalformedHead, raw_head(b"f\n1\n\nb")),
        (V::MalformedHead, raw_head(b"f\n1\na\nb\rc")),
        (V::MalformedHead, raw_head(b"f\n1\na\nb\0c")),
        (V::MalformedHead, raw_head(b"f g\n1\na\nb")),
        (V::MalformedHead, raw_head("é\n1\na\nb".as_bytes())),
        (V::TooManyHeaders, response(1, 0, 200, &many, b"")),
        (V::FrameTooLong, {
            let mut payload = vec![0, 200, 0];
            payload.put_u32_le(100);
            frame(6, 1, &payload)
        }),
    ];
    for (expected, bytes) in rows {
        let shown = format!("{:?}", &bytes[..bytes.len().min(40)]);
        assert_eq!(ended_by(&bytes).await, CloseReason::Violation(expected), "{shown}");
    }
}

#[tokio::test]
async fn more_data_than_the_window_is_refused() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let connection = Connection::start(ours);
    let answer = open(&connection);
    theirs.write_all(&response(1, 0, 200, &[], b"")).await.unwrap();
    let _response = soon(answer).await.unwrap();
    for _ in 0..WINDOW / 65_536 {
        theirs.write_all(&frame(2, 1, &vec![1; 65_536])).await.unwrap();
    }
    theirs.write_all(&frame(2, 1, b"x")).await.unwrap();
    assert_eq!(soon(connection.closed()).await, CloseReason::Violation(Violation::WindowExceeded));
}

#[tokio::test]
async fn frames_for_cancelled_streams_are_forgiven_up_to_a_bound() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let connection = Connection::start(ours);
    drop(open(&connection));
    theirs.write_all(&response(1, 0, 200, &[], b"late")).await.unwrap();
    theirs.write_all(&frame(2, 1, b"late")).await.unwrap();
    theirs.write_all(&frame(3, 1, b"")).await.unwrap();
    let answer = open(&connection);
    theirs.write_all(&response(2, 1, 204, &[], b"")).await.unwrap();
    assert_eq!(soon(answer).await.unwrap().status, 204);
    let flood = frame(2, 1, &vec![0; 65_536]);
    while theirs.write_all(&flood).await.is_ok() {}
    assert_eq!(soon(connection.closed()).await, CloseReason::Violation(Violation::StrayFrames));
}

#[tokio::test]
async fn a_failed_connection_fails_streams_of_which_nothing_was_wrong() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let connection = Connection::start(ours);
    let innocent = open(&connection);
    let _guilty = open(&connection);
    tokio::task::yield_now().await;
    theirs.write_all(&frame(9, 2, b"")).await.unwrap();
    let error = soon(innocent).await.unwrap_err();
    assert_eq!(error, WireError::Closed(CloseReason::Violation(Violation::UnknownType)));
}

/// Frames that are nearly right: the interesting part of the input space.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![8 => Just(1u32), 2 => Just(2u32), 1 => any::<u32>()];
    let body = prop::collection::vec(any::<u8>(), 0..300);
    let whole = prop_oneof![
        (stream.clone(), 0..4u8, 0..1100u16, body.clone()).prop_map(|(stream, flags, status, body)| response(
            stream,
            flags,
            status,
            &[("a", "b")],
            &body
        )),
        (stream.clone(), 0..9u8, body.clone()).prop_map(|(stream, kind, body)| frame(kind, stream, &body)),
        (stream.clone(), any::<[u8; 4]>()).prop_map(|(stream, credit)| frame(5, stream, &credit)),
        stream.clone().prop_map(|stream| frame(3, stream, b"")),
        body.clone().prop_map(|head| raw_head(&head)),
        body,
    ];
    prop::collection::vec(whole, 0..8).prop_flat_map(|frames| {
        let bytes = frames.concat();
        let length = bytes.len().max(1);
        (Just(bytes), prop::collection::vec((0..length, any::<u8>()), 0..4)).prop_map(|(mut bytes, changes)| {
            for (at, value) in changes {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_a_reason_and_never_in_a_panic_or_a_hang(bytes in nearly_right()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ended_by(&bytes));
    }
}
