//! What a session has to say, bounded: whoever speaks waits until there is room, and learns when nobody listens any more.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_tungstenite::tungstenite::Message;

use super::frame::Kind;
use crate::websocket::{QUIET, Socket};

/// Most bytes that wait to be sent.
const ROOM: usize = 1 << 20;
/// What a message costs besides its bytes.
const COST: usize = 64;

type Waiting = (Message, OwnedSemaphorePermit);

/// Speaks; cheap to copy.
#[derive(Clone)]
pub(crate) struct Output {
    room: Arc<Semaphore>,
    waiting: mpsc::UnboundedSender<Waiting>,
}

/// The peer has gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

impl Output {
    /// The speaker, and what sends for as long as the peer takes it.
    pub(crate) fn new(sink: SplitSink<Socket, Message>) -> (Self, impl Future<Output = ()>) {
        let (waiting, messages) = mpsc::unbounded_channel();
        let output = Self { room: Arc::new(Semaphore::new(ROOM)), waiting };
        (output, send(sink, messages))
    }

    pub(crate) async fn send(&self, message: Message) -> Result<(), Gone> {
        let cost = u32::try_from((message.len() + COST).min(ROOM)).map_err(|_| Gone)?;
        let room = self.room.clone().acquire_many_owned(cost).await.map_err(|_| Gone)?;
        self.waiting.send((message, room)).map_err(|_| Gone)
    }

    pub(crate) async fn binary(&self, kind: Kind, id: u32, payload: &[u8]) -> Result<(), Gone> {
        let mut frame = BytesMut::with_capacity(5 + payload.len());
        frame.put_u8(kind as u8);
        frame.put_u32(id);
        frame.put_slice(payload);
        self.send(Message::Binary(frame.freeze())).await
    }

    pub(crate) async fn notify(&self, method: &str, params: Value) -> Result<(), Gone> {
        self.send(Message::text(json!({"method": method, "params": params}).to_string())).await
    }

    /// Wakes everybody who waits for room: there will be none.
    pub(crate) fn close(&self) {
        self.room.close();
    }
}

async fn send(mut sink: SplitSink<Socket, Message>, mut messages: mpsc::UnboundedReceiver<Waiting>) {
    loop {
        let sent = match tokio::time::timeout(QUIET, messages.recv()).await {
            Ok(Some((message, room))) => {
                let sent = sink.send(message).await;
                drop(room);
                sent
            }
            Ok(None) => return,
            Err(_) => sink.send(Message::Ping(Bytes::new())).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
