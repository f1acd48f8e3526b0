//! Measures the client alone: small request/answer pairs through a socket pair, against the least possible peer.
//! `cargo run --release -p darter-wire --example loopback`

use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use darter_wire::{Begin, Connection, RequestHead};
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Answers every REQUEST of a batch with one write.
async fn least_peer(mut stream: UnixStream) {
    let mut input = BytesMut::with_capacity(64 << 10);
    let mut output = BytesMut::new();
    let head = b"hello\n1\ncontent-type\ntext/plain; charset=utf-8\nx-powered-by\ndarter";
    let body = b"Hello, world!";
    while stream.read_buf(&mut input).await.unwrap_or(0) > 0 {
        while let Some(header) = input.get(..9) {
            let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes")) as usize;
            if input.len() < 9 + length {
                break;
            }
            output.put_u32_le((7 + head.len() + body.len()) as u32);
            output.put_u8(6);
            output.put_slice(&input[5..9]);
            output.put_u8(1);
            output.put_u16_le(200);
            output.put_u32_le(head.len() as u32);
            output.put_slice(head);
            output.put_slice(body);
            input.advance(9 + length);
        }
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("abcdefghjk.darter-apps.localhost:7070"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    headers.insert("user-agent", HeaderValue::from_static("loopback/1"));
    headers
}

async fn once(connection: &Connection, headers: &HeaderMap) {
    let head = RequestHead {
        method: "GET",
        target: "/hello",
        request_id: "req_01jdf8k2m3n4p5q6r7s8t9v0wx",
        client_ip: "127.0.0.1",
        deadline_ms: 60_000,
        pin: "",
        headers,
    };
    let (_, answer) = connection.open(&head, Begin::Whole(Bytes::new())).expect("the peer is there");
    let response = answer.await.expect("the peer answers");
    assert_eq!(response.body.whole_length(), Some(13));
}

async fn throughput(connection: &Connection, callers: usize, time: Duration) -> f64 {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move {
                let headers = headers();
                let mut done = 0u64;
                while begin.elapsed() < time {
                    for _ in 0..16 {
                        once(&connection, &headers).await;
                    }
                    done += 16;
                }
                done
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await.expect("no caller fails");
    }
    total as f64 / begin.elapsed().as_secs_f64()
}

fn main() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    for stream in [&ours, &theirs] {
        stream.set_nonblocking(true).expect("non-blocking");
    }
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { least_peer(UnixStream::from_std(theirs).expect("a socket")).await });
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let connection = Connection::start(UnixStream::from_std(ours).expect("a socket"));
        let headers = headers();
        let mut times = Vec::new();
        for _ in 0..20_000 {
            let begin = Instant::now();
            once(&connection, &headers).await;
            times.push(begin.elapsed());
        }
        times.sort();
        let mut lines = vec![format!("one at a time: p50 {:?}, p99 {:?}", times[10_000], times[19_800])];
        for callers in [1, 8, 64, 256] {
            let rate = throughput(&connection, callers, Duration::from_secs(1)).await;
            lines.push(format!("{callers:4} callers: {rate:9.0} pairs/s"));
        }
        use std::io::Write;
        writeln!(std::io::stdout(), "{}", lines.join("\n")).expect("stdout");
    });
}
