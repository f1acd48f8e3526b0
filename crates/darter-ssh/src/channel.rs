//! One channel as both of its directions: what the client sent, counted until somebody takes it, and what it is sent, as
//! far as its window goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use darter_platform::Platform;
use darter_platform::workspace::inside::ssh::{self, Visitor};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;

use crate::gate::{Gate, Held};

/// What a message weighs besides its bytes.
const MESSAGE: usize = 256;
/// What a person does is told once in this time.
const TOLD: Duration = Duration::from_secs(1);

/// Who uses a channel, of whose connection.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) platform: Arc<Platform>,
    pub(crate) visitor: Arc<Visitor>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) handle: Handle,
}

/// What the client sends.
pub(crate) struct Inbox {
    messages: mpsc::UnboundedReceiver<(ChannelMsg, Held)>,
}

/// What the client is sent.
pub(crate) struct Outbox {
    half: ChannelWriteHalf<Msg>,
    gate: Arc<Gate>,
    pub(crate) handle: Handle,
}

/// Notes that a person does something.
pub(crate) struct Doing {
    visit: Visit,
    told: Option<Instant>,
}

impl Visit {
    pub(crate) fn split(&self, channel: Channel<Msg>) -> (Inbox, Outbox) {
        let (reader, half) = channel.split();
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(pump(reader, sender, Arc::clone(&self.gate)));
        let outbox = Outbox { half, gate: Arc::clone(&self.gate), handle: self.handle.clone() };
        (Inbox { messages }, outbox)
    }

    pub(crate) fn doing(&self) -> Doing {
        Doing { visit: self.clone(), told: None }
    }
}

/// Never waits for anybody but the client: the library's only loop would wait with it. The gate bounds what gathers.
async fn pump(mut reader: ChannelReadHalf, sender: mpsc::UnboundedSender<(ChannelMsg, Held)>, gate: Arc<Gate>) {
    while let Some(message) = reader.wait().await {
        let bytes = match &message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => data.len(),
            ChannelMsg::Exec { command, .. } => command.len(),
            _ => 0,
        };
        if matches!(message, ChannelMsg::WindowAdjusted { .. }) {
            continue;
        }
        let held = gate.took(bytes + MESSAGE);
        if sender.send((message, held)).is_err() {
            return;
        }
    }
}

impl Inbox {
    /// The next message; it counts as held until the second part is dropped. `None`: the client has closed the channel.
    pub(crate) async fn next(&mut self) -> Option<(ChannelMsg, Held)> {
        self.messages.recv().await.filter(|(message, _)| !matches!(message, ChannelMsg::Close))
    }
}

impl Outbox {
    pub(crate) fn id(&self) -> ChannelId {
        self.half.id()
    }

    /// False: the client is gone, or will never read.
    pub(crate) async fn data(&self, bytes: Bytes) -> bool {
        self.gate.patient(self.half.data_bytes(bytes)).await
    }

    /// The same on the stream of errors.
    pub(crate) async fn error(&self, bytes: Bytes) -> bool {
        self.gate.patient(self.half.extended_data_bytes(1, bytes)).await
    }

    /// What a person reads in their terminal.
    pub(crate) async fn tell(&self, text: &str) {
        let _ = self.error(Bytes::from(format!("{text}\r\n"))).await;
    }

    pub(crate) async fn eof(&self) {
        // A client that has gone needs no end.
        let _ = self.half.eof().await;
    }

    /// The last words of a program's channel.
    pub(crate) async fn exit(&self, code: u32) {
        let _ = self.half.exit_status(code).await;
        self.eof().await;
        self.close().await;
    }

    pub(crate) async fn close(&self) {
        let _ = self.half.close().await;
    }
}

impl Doing {
    /// They have just sent something.
    pub(crate) async fn note(&mut self) {
        if self.told.is_none_or(|at| at.elapsed() > TOLD) {
            self.told = Some(Instant::now());
            ssh::touched(&self.visit.platform, &self.visit.visitor).await;
        }
    }
}
