//! Raw bytes between a channel and a way inside: files as SFTP speaks of them, and ports. Each direction's end is passed on
//! alone.

use std::time::Duration;

use bytes::BytesMut;
use darter_platform::workspace::inside::Inside;
use russh::ChannelMsg;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::channel::{Doing, Inbox, Outbox};

/// What is read at once.
const PIECE: usize = 32 << 10;
/// What a client may take to say goodbye to a port after the port has.
pub(crate) const GOODBYE: Duration = Duration::from_secs(60);
/// Whoever ends a conversation about files has said everything.
pub(crate) const AT_ONCE: Duration = Duration::ZERO;
/// Editors ask all the time whether somebody is still there; what a person does is longer than that.
const STILL_THERE: usize = 64;

/// Until both have ended, or the client has closed the channel, or is gone.
pub(crate) async fn both_ways(inside: Inside, inbox: Inbox, outbox: &Outbox, (doing, goodbye): (Doing, Duration)) {
    let (from, to) = tokio::io::split(inside);
    let inwards = inwards(inbox, to, doing);
    let outwards = outwards(from, outbox);
    tokio::pin!(inwards, outwards);
    tokio::select! {
        open = &mut inwards => if open {
            outwards.await;
        },
        () = &mut outwards => {
            let _ = tokio::time::timeout(goodbye, inwards).await;
        }
    }
}

/// False: the client has closed the channel; nobody reads what would still come.
async fn inwards(mut inbox: Inbox, mut to: WriteHalf<Inside>, mut doing: Doing) -> bool {
    while let Some((message, held)) = inbox.next().await {
        match message {
            ChannelMsg::Data { data } => {
                if data.len() > STILL_THERE {
                    doing.note().await;
                }
                if to.write_all(&data).await.is_err() || to.flush().await.is_err() {
                    return true;
                }
            }
            ChannelMsg::Eof => {
                let _ = to.shutdown().await;
            }
            _ => {}
        }
        drop(held);
    }
    false
}

async fn outwards(mut from: ReadHalf<Inside>, outbox: &Outbox) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(PIECE);
        match (&mut from).take(PIECE as u64).read_buf(&mut buffer).await {
            Ok(1..) if outbox.data(buffer.split().freeze()).await => {}
            _ => break,
        }
    }
    outbox.eof().await;
}
