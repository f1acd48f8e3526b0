//! The runtime's side of the protocol, in Rust, for tests: no node, no sandbox. Never part of the product.
//!
//! ```ignore
//! let (ours, theirs) = UnixStream::pair()?;
//! let peer = Peer::start(theirs, |request, answer| async move { answer.respond(200, &[], request.body.all().await) });
//! let connection = Connection::start(ours);
//! ```

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
pub use tokio_util::sync::CancellationToken;

use crate::codec::{self, FLAG_END, FLAG_UPGRADE, Fields, HEADER, Kind};
use crate::{MAX_DATA, WINDOW};

/// A request as the runtime sees it.
#[derive(Debug)]
pub struct PeerRequest {
    pub method: String,
    pub target: String,
    pub request_id: String,
    pub client_ip: String,
    pub deadline_ms: u64,
    pub pin: String,
    pub headers: Vec<(String, String)>,
    pub upgrade: bool,
    pub body: PeerBody,
    /// Cancelled when the platform resets the stream.
    pub cancelled: CancellationToken,
}

impl PeerRequest {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The body of a request; taking a chunk gives credit back.
#[derive(Debug)]
pub struct PeerBody {
    chunks: mpsc::UnboundedReceiver<Bytes>,
    out: mpsc::UnboundedSender<Bytes>,
    stream: u32,
}

impl PeerBody {
    /// The next bytes; `None` at the end or at a reset.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.recv().await?;
        let mut frame = BytesMut::new();
        codec::put_window(&mut frame, self.stream, u32::try_from(chunk.len()).expect("a DATA frame is small"));
        // The connection may be gone: then nobody needs the credit.
        let _ = self.out.send(frame.freeze());
        Some(chunk)
    }

    /// The whole body.
    pub async fn all(mut self) -> Bytes {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await {
            whole.extend_from_slice(&chunk);
        }
        whole.freeze()
    }
}

/// The way to answer. Dropping it without an answer leaves the request hanging, as a handler that never answers does.
#[derive(Debug)]
pub struct PeerAnswer {
    stream: u32,
    out: mpsc::UnboundedSender<Bytes>,
    window: Arc<Semaphore>,
    /// What the answer says ran.
    pub function: String,
    pub version: u32,
}

impl PeerAnswer {
    /// A whole answer in one frame.
    pub fn respond(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        self.response(FLAG_END, status, headers, &body.into());
    }

    /// The head of an answer whose body follows.
    pub fn begin(self, status: u16, headers: &[(&str, &str)]) -> PeerWriter {
        self.response(0, status, headers, &[]);
        PeerWriter { stream: self.stream, out: self.out, window: self.window }
    }

    /// Grants an upgrade.
    pub fn upgrade(self, headers: &[(&str, &str)]) -> PeerWriter {
        self.response(FLAG_UPGRADE, 101, headers, &[]);
        PeerWriter { stream: self.stream, out: self.out, window: self.window }
    }

    /// Ends the stream.
    pub fn reset(self, code: u32, reason: &str) {
        let mut frame = BytesMut::new();
        codec::put_reset(&mut frame, self.stream, code, reason);
        let _ = self.out.send(frame.freeze());
    }

    fn response(&self, flags: u8, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let mut frame = BytesMut::new();
        put_response(&mut frame, self.stream, flags, status, (&self.function, self.version), headers, body);
        let _ = self.out.send(frame.freeze());
    }
}

/// Appends a RESPONSE frame.
#[expect(clippy::too_many_arguments, reason = "the fields of one frame, for tests only")]
pub fn put_response(
    out: &mut BytesMut,
    stream: u32,
    flags: u8,
    status: u16,
    (function, version): (&str, u32),
    headers: &[(&str, &str)],
    body: &[u8],
) {
    let mut head = format!("{function}\n{version}");
    for (name, value) in headers {
        head.push('\n');
        head.push_str(name);
        head.push('\n');
        head.push_str(value);
    }
    codec::put_header(out, 7 + head.len() + body.len(), Kind::Response, stream);
    out.put_u8(flags);
    out.put_u16_le(status);
    out.put_u32_le(u32::try_from(head.len()).expect("a head is small"));
    out.put_slice(head.as_bytes());
    out.put_slice(body);
}

/// The body of an answer, within its window.
#[derive(Debug)]
pub struct PeerWriter {
    stream: u32,
    out: mpsc::UnboundedSender<Bytes>,
    window: Arc<Semaphore>,
}

impl PeerWriter {
    /// Sends bytes, waiting for credit. False: the stream or the connection is gone.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> bool {
        let mut bytes = bytes.into();
        while bytes.has_remaining() {
            let piece = bytes.split_to(bytes.len().min(MAX_DATA));
            let length = u32::try_from(piece.len()).expect("at most 64 KiB");
            let Ok(permit) = self.window.acquire_many(length).await else { return false };
            permit.forget();
            let mut frame = BytesMut::with_capacity(HEADER + piece.len());
            codec::put_header(&mut frame, piece.len(), Kind::Data, self.stream);
            frame.put_slice(&piece);
            if self.out.send(frame.freeze()).is_err() {
                return false;
            }
        }
        true
    }

    /// END.
    pub fn finish(self) {
        let mut frame = BytesMut::new();
        codec::put_header(&mut frame, 0, Kind::End, self.stream);
        let _ = self.out.send(frame.freeze());
    }

    /// RESET.
    pub fn reset(self, code: u32, reason: &str) {
        let mut frame = BytesMut::new();
        codec::put_reset(&mut frame, self.stream, code, reason);
        let _ = self.out.send(frame.freeze());
    }
}

struct PeerStream {
    chunks: Option<mpsc::UnboundedSender<Bytes>>,
    window: Arc<Semaphore>,
    cancelled: CancellationToken,
}

/// The runtime's end of one connection.
#[derive(Debug, Clone)]
pub struct Peer {
    out: mpsc::UnboundedSender<Bytes>,
    ended: CancellationToken,
}

impl Peer {
    /// Serves the stream: `handler` runs in a task of its own for every request.
    pub fn start<S, H, F>(stream: S, handler: H) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
        H: Fn(PeerRequest, PeerAnswer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (reader, mut writer) = tokio::io::split(stream);
        let (out, mut frames) = mpsc::unbounded_channel::<Bytes>();
        let ended = CancellationToken::new();
        let stop = ended.clone();
        tokio::spawn(async move {
            loop {
                let frame = tokio::select! {
                    biased;
                    frame = frames.recv() => frame,
                    () = stop.cancelled() => None,
                };
                let Some(frame) = frame else { break };
                if writer.write_all(&frame).await.is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        });
        let peer = Self { out: out.clone(), ended: ended.clone() };
        tokio::spawn(async move {
            tokio::select! {
                () = serve(reader, out, handler) => {}
                () = ended.cancelled() => {}
            }
            ended.cancel();
        });
        peer
    }

    /// Takes no new requests.
    pub fn goaway(&self) {
        let mut frame = BytesMut::new();
        codec::put_header(&mut frame, 0, Kind::Goaway, 0);
        self.raw(frame.freeze());
    }

    /// Writes any bytes: for tests of violations.
    pub fn raw(&self, bytes: impl Into<Bytes>) {
        let _ = self.out.send(bytes.into());
    }

    /// Closes the connection after what is queued.
    pub fn close(&self) {
        self.ended.cancel();
    }
}

async fn serve<R, H, F>(mut reader: R, out: mpsc::UnboundedSender<Bytes>, handler: H)
where
    R: AsyncRead + Unpin,
    H: Fn(PeerRequest, PeerAnswer) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let streams: Mutex<HashMap<u32, PeerStream>> = Mutex::default();
    let mut input = BytesMut::new();
    loop {
        while let Some((kind, stream, payload)) = take_frame(&mut input) {
            let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
            match kind {
                1 => {
                    let (request, answer, entry) = begin(stream, &payload, &out);
                    streams.insert(stream, entry);
                    tokio::spawn(handler(request, answer));
                }
                2 => {
                    if let Some(chunks) = streams.get(&stream).and_then(|entry| entry.chunks.as_ref()) {
                        let _ = chunks.send(payload);
                    }
                }
                3 => {
                    if let Some(entry) = streams.get_mut(&stream) {
                        entry.chunks = None;
                    }
                }
                4 => {
                    if let Some(entry) = streams.remove(&stream) {
                        entry.cancelled.cancel();
                        entry.window.close();
                    }
                }
                5 => {
                    if let Some(entry) = streams.get(&stream) {
                        let credit: [u8; 4] = payload[..4].try_into().expect("four bytes");
                        entry.window.add_permits(u32::from_le_bytes(credit) as usize);
                    }
                }
                other => panic!("the platform sent a frame of type {other}"),
            }
        }
        if reader.read_buf(&mut input).await.unwrap_or(0) == 0 {
            break;
        }
    }
    for entry in streams.lock().unwrap_or_else(PoisonError::into_inner).values() {
        entry.cancelled.cancel();
        entry.window.close();
    }
}

fn take_frame(input: &mut BytesMut) -> Option<(u8, u32, Bytes)> {
    let header: [u8; HEADER] = input.get(..HEADER)?.try_into().ok()?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    if input.len() < HEADER + length {
        return None;
    }
    input.advance(HEADER);
    let stream = u32::from_le_bytes([header[5], header[6], header[7], header[8]]);
    Some((header[4], stream, input.split_to(length).freeze()))
}

fn begin(stream: u32, payload: &Bytes, out: &mpsc::UnboundedSender<Bytes>) -> (PeerRequest, PeerAnswer, PeerStream) {
    let flags = payload[0];
    let latin1 = |field: Bytes| field.iter().map(|byte| char::from(*byte)).collect::<String>();
    let text = payload.slice(1..);
    let mut fields = Fields::new(&text).map(latin1);
    let mut next = || fields.next().expect("a request head has six fields and pairs after them");
    let (method, target, request_id, client_ip) = (next(), next(), next(), next());
    let (deadline, pin) = (next(), next());
    let rest: Vec<String> = fields.collect();
    let headers = rest.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let (sender, chunks) = mpsc::unbounded_channel();
    let window = Arc::new(Semaphore::new(WINDOW));
    let cancelled = CancellationToken::new();
    let request = PeerRequest {
        method,
        target,
        request_id,
        client_ip,
        deadline_ms: deadline.parse().expect("a decimal"),
        pin,
        headers,
        upgrade: flags & FLAG_UPGRADE != 0,
        body: PeerBody { chunks, out: out.clone(), stream },
        cancelled: cancelled.clone(),
    };
    let answer =
        PeerAnswer { stream, out: out.clone(), window: Arc::clone(&window), function: "hello".into(), version: 1 };
    let chunks = (flags & FLAG_END == 0).then_some(sender);
    (request, answer, PeerStream { chunks, window, cancelled })
}
