//! WebSockets of apps: after the upgrade, raw bytes both ways.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use darter_wire::{Lease, RequestSink, ResponseBody};
use http::Response;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::answer;
use super::deadline::Deadlines;
use super::upgrade::Upgrade;
use crate::reply::ReplyBody;
use crate::server::Inner;

/// What one side may take to say goodbye after the other has.
const GOODBYE: Duration = Duration::from_secs(5);
/// What is read from a client at once.
const CHUNK: usize = 16 << 10;
/// A close frame: going away (1001).
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// Answers the upgrade and moves bytes in a task of its own until either side ends.
pub(crate) fn open(
    inner: &Arc<Inner>,
    (upgrade, sink): (Upgrade, RequestSink),
    reply: darter_wire::Response,
    lease: Lease,
    deadlines: &Deadlines,
) -> Response<ReplyBody> {
    let mut headers = reply.headers;
    answer::clean(&mut headers, &inner.config.apps_domain);
    let (answer, ready) = upgrade.accept(headers);
    let (task_inner, deadlines) = (Arc::clone(inner), deadlines.clone());
    inner.tasks.spawn(async move {
        task_inner.counters.tunnels.fetch_add(1, Ordering::Relaxed);
        if let Ok(client) = ready.await {
            run(&task_inner, client, sink, reply.body, &deadlines).await;
        }
        task_inner.counters.tunnels.fetch_sub(1, Ordering::Relaxed);
        drop(lease);
    });
    answer
}

async fn run(inner: &Inner, client: Upgraded, mut sink: RequestSink, mut body: ResponseBody, deadlines: &Deadlines) {
    deadlines.touch();
    let (mut reader, mut writer) = tokio::io::split(TokioIo::new(client));
    let mut frames = Frames::default();
    let ended = {
        let inwards = inwards(&mut reader, &mut sink, deadlines);
        let outwards = outwards(&mut body, &mut writer, &mut frames, deadlines);
        tokio::pin!(inwards, outwards);
        tokio::select! {
            _ = &mut inwards => Ended::Client,
            taken = &mut outwards => if taken { Ended::Runtime } else { return },
            () = deadlines.silent() => Ended::Us,
            () = inner.stopping.cancelled() => Ended::Us,
        }
    };
    match ended {
        Ended::Client => {
            sink.finish();
            let rest = outwards(&mut body, &mut writer, &mut frames, deadlines);
            let _ = tokio::time::timeout(GOODBYE, rest).await;
        }
        Ended::Runtime => {
            let _ = writer.shutdown().await;
            let _ = tokio::time::timeout(GOODBYE, inwards(&mut reader, &mut sink, deadlines)).await;
        }
        Ended::Us => {
            if frames.at_boundary() {
                let _ = tokio::time::timeout(GOODBYE, writer.write_all(&GOING_AWAY)).await;
            }
        }
    }
    let _ = tokio::time::timeout(GOODBYE, writer.shutdown()).await;
}

enum Ended {
    Client,
    Runtime,
    Us,
}

async fn inwards(reader: &mut ReadHalf<TokioIo<Upgraded>>, sink: &mut RequestSink, deadlines: &Deadlines) {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    loop {
        buffer.reserve(CHUNK);
        match reader.read_buf(&mut buffer).await {
            Ok(length) if length > 0 => {}
            Ok(_) | Err(_) => return,
        }
        deadlines.touch();
        if sink.send(buffer.split().freeze()).await.is_err() {
            return;
        }
    }
}

/// Moves what the function says to the client. `false`: the client takes no more of it.
async fn outwards(
    body: &mut ResponseBody,
    writer: &mut WriteHalf<TokioIo<Upgraded>>,
    frames: &mut Frames,
    deadlines: &Deadlines,
) -> bool {
    while let Some(Ok(chunk)) = body.chunk().await {
        frames.follow(&chunk);
        let mut left: &[u8] = &chunk;
        while !left.is_empty() {
            // What the client sends meanwhile is no sign that it reads.
            match tokio::time::timeout(deadlines.idle, writer.write(left)).await {
                Ok(Ok(length)) if length > 0 => left = &left[length..],
                Ok(_) | Err(_) => return false,
            }
            deadlines.touch();
        }
        if writer.flush().await.is_err() {
            return false;
        }
    }
    true
}

/// Follows the frames that the function sends, so that a close frame of ours never lands inside one.
#[derive(Debug, Default)]
struct Frames {
    /// The bytes of a frame's header that have been seen.
    header: Vec<u8>,
    /// What is left of the payload.
    payload: u64,
}

impl Frames {
    fn at_boundary(&self) -> bool {
        self.header.is_empty() && self.payload == 0
    }

    fn follow(&mut self, chunk: &Bytes) {
        let mut rest: &[u8] = chunk;
        while !rest.is_empty() {
            if self.payload > 0 {
                let step = usize::try_from(self.payload).unwrap_or(usize::MAX).min(rest.len());
                self.payload -= step as u64;
                rest = &rest[step..];
                continue;
            }
            self.header.push(rest[0]);
            rest = &rest[1..];
            if let Some(length) = payload_length(&self.header) {
                self.payload = length;
                self.header.clear();
            }
        }
    }
}

/// The payload's length, once the header is whole (RFC 6455, 5.2). A server's frames carry no mask; if one does, the
/// mask counts as part of it.
fn payload_length(header: &[u8]) -> Option<u64> {
    let (_, second) = (header.first()?, *header.get(1)?);
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let length = match second & 0x7f {
        126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
        short => u64::from(short),
    };
    Some(length.saturating_add(mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_between_frames_are_found_in_chunks_of_any_size() {
        let mut bytes = vec![0x81, 3, b'a', b'b', b'c'];
        bytes.extend([0x82, 126, 1, 0].into_iter().chain([7; 256]));
        bytes.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0].into_iter().chain([7; 65_536]));
        bytes.extend([0x8a, 0]);
        let ends = [5, 5 + 260, 5 + 260 + 65_546, bytes.len()];
        for size in [1, 2, 3, 7, 1_000, bytes.len()] {
            let mut frames = Frames::default();
            let mut seen = 0;
            for chunk in bytes.chunks(size) {
                frames.follow(&Bytes::copy_from_slice(chunk));
                seen += chunk.len();
                assert_eq!(frames.at_boundary(), ends.contains(&seen), "after {seen} in steps of {size}");
            }
        }
    }
}
