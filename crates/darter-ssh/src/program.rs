//! A session channel: what its client asks for, and the program (or the files) behind it until one of them ends.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use darter_core::{Fault, Kind};
use darter_platform::workspace::inside::{Inside, ssh};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, Sig};
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::channel::{Doing, Inbox, Outbox, Visit};
use crate::command::{Surroundings, Terminal};
use crate::relay;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest message from inside.
const LONGEST: usize = 1 << 20;
/// Streams of the attendant's.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
/// What `ssh` itself ends with when something on the way failed.
const FAILED: u32 = 255;

type Socket = WebSocketStream<Inside>;

/// How a program ended. A stranger said it: nothing of it is shown but numbers and known names.
#[derive(Deserialize)]
struct Ended {
    exit: Option<i32>,
    signal: Option<String>,
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    code: String,
}

enum Wish {
    Run(Option<Vec<u8>>),
    Files,
}

/// Serves a channel to its end.
pub(crate) async fn serve(visit: Visit, channel: Channel<Msg>) {
    let (mut inbox, outbox) = visit.split(channel);
    let Ok(Some((surroundings, wish))) = tokio::time::timeout(PATIENCE, listen(&mut inbox)).await else {
        return outbox.close().await;
    };
    match wish {
        Wish::Run(command) => run(&visit, (inbox, &outbox), &surroundings, command.as_deref()).await,
        Wish::Files => match ssh::sftp(&visit.platform, &visit.visitor).await {
            Ok(inside) => {
                relay::both_ways(inside, inbox, &outbox, (visit.doing(), relay::AT_ONCE)).await;
                outbox.exit(0).await;
            }
            Err(fault) => refuse(&outbox, &fault).await,
        },
    }
}

/// Everything before the one request that starts something. Whether each was granted is answered elsewhere, in the same
/// words.
async fn listen(inbox: &mut Inbox) -> Option<(Surroundings, Wish)> {
    let mut surroundings = Surroundings::default();
    loop {
        match inbox.next().await?.0 {
            ChannelMsg::SetEnv { variable_name, variable_value, .. } => surroundings.set(variable_name, variable_value),
            ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                surroundings.terminal = Some(Terminal { columns: col_width, rows: row_height, name: term });
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                if let Some(terminal) = &mut surroundings.terminal {
                    (terminal.columns, terminal.rows) = (col_width, row_height);
                }
            }
            ChannelMsg::RequestShell { .. } => return Some((surroundings, Wish::Run(None))),
            ChannelMsg::Exec { command, .. } => return Some((surroundings, Wish::Run(Some(command)))),
            ChannelMsg::RequestSubsystem { name, .. } if name == "sftp" => return Some((surroundings, Wish::Files)),
            _ => {}
        }
    }
}

async fn refuse(outbox: &Outbox, fault: &Fault) {
    if fault.kind == Kind::Internal {
        tracing::error!(%fault, cause = ?fault.cause, "an SSH channel could not be served");
    }
    outbox.tell(&format!("darter: {} ({})", fault.message, fault.code)).await;
    outbox.exit(FAILED).await;
}

async fn run(visit: &Visit, (inbox, outbox): (Inbox, &Outbox), surroundings: &Surroundings, command: Option<&[u8]>) {
    let inside = match ssh::exec(&visit.platform, &visit.visitor).await {
        Ok(inside) => inside,
        Err(fault) => return refuse(outbox, &fault).await,
    };
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    let socket: Socket = WebSocketStream::from_raw_socket(inside, Role::Client, Some(config)).await;
    let (mut to, from) = socket.split();
    let first = surroundings.first_frame(command).to_string();
    if to.send(Message::text(first)).await.is_err() {
        return lost(outbox).await;
    }
    tokio::select! {
        // The client has closed its channel: nobody is left to be told, and the program goes with the socket.
        () = inwards(inbox, to, visit.doing()) => outbox.close().await,
        ended = outwards(from, outbox) => match ended {
            Some(ended) => goodbye(outbox, &ended).await,
            None => lost(outbox).await,
        },
    }
}

async fn lost(outbox: &Outbox) {
    outbox
        .tell("darter: The connection to the workspace ended: it was stopped, or is restarting. Connect again.")
        .await;
    outbox.exit(FAILED).await;
}

/// What the client sends, until it closes its channel.
async fn inwards(mut inbox: Inbox, mut to: SplitSink<Socket, Message>, mut doing: Doing) {
    while let Some((message, held)) = inbox.next().await {
        let message = match message {
            ChannelMsg::Data { data } => {
                doing.note().await;
                // An empty frame would be the end.
                if data.is_empty() { continue } else { Message::Binary(framed(&data)) }
            }
            ChannelMsg::Eof => Message::Binary(framed(&[])),
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                Message::text(json!({ "resize": [col_width, row_height] }).to_string())
            }
            ChannelMsg::Signal { signal } => Message::text(json!({ "signal": name(&signal) }).to_string()),
            _ => continue,
        };
        // A program that has ended takes no more; how it ended is heard on the other side.
        if to.send(message).await.is_err() {
            return std::future::pending().await;
        }
        drop(held);
    }
}

fn framed(data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 1);
    frame.put_u8(STDIN);
    frame.extend_from_slice(data);
    frame.freeze()
}

/// What the program writes, until it ends; `None`: it was cut off.
async fn outwards(mut from: SplitStream<Socket>, outbox: &Outbox) -> Option<Ended> {
    while let Some(Ok(message)) = from.next().await {
        match message {
            Message::Binary(mut frame) if !frame.is_empty() => {
                let data = frame.split_off(1);
                let sent = if frame[0] == STDOUT { outbox.data(data).await } else { outbox.error(data).await };
                if !sent {
                    return None;
                }
            }
            Message::Text(text) => {
                if let Ok(ended) = serde_json::from_str(&text) {
                    return Some(ended);
                }
            }
            Message::Close(_) => return None,
            _ => {}
        }
    }
    None
}

async fn goodbye(outbox: &Outbox, ended: &Ended) {
    if let Some(trouble) = &ended.error {
        let why = match trouble.code.as_str() {
            "limit.reached" => "too many programs run in this workspace; end one",
            "program.not_found" => "its shell is not installed",
            _ => "it could not be started; look whether its disk is full",
        };
        outbox.tell(&format!("darter: The workspace did not start the program: {why}.")).await;
        return outbox.exit(FAILED).await;
    }
    match (ended.exit, ended.signal.as_deref().and_then(signal)) {
        (Some(code), _) => outbox.exit(u32::try_from(code & 0xff).unwrap_or(FAILED)).await,
        (None, Some(signal)) => {
            let (id, nothing) = (outbox.id(), String::new);
            let _ = outbox.handle.exit_signal_request(id, signal, false, nothing(), nothing()).await;
            outbox.eof().await;
            outbox.close().await;
        }
        (None, None) => outbox.exit(FAILED).await,
    }
}

/// The name of a signal, as the attendant knows it.
fn name(signal: &Sig) -> &str {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
}

/// A signal by the name that the attendant gave it; one that is no name is none.
fn signal(name: &str) -> Option<Sig> {
    let known = [
        Sig::ABRT,
        Sig::ALRM,
        Sig::FPE,
        Sig::HUP,
        Sig::ILL,
        Sig::INT,
        Sig::KILL,
        Sig::PIPE,
        Sig::QUIT,
        Sig::SEGV,
        Sig::TERM,
        Sig::USR1,
    ];
    let plain = (1..=8).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let found = known.into_iter().find(|signal| self::name(signal) == name);
    found.or_else(|| plain.then(|| Sig::Custom(name.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_one_name_and_what_is_no_name_is_none() {
        for word in ["KILL", "INT", "BUS", "USR2", "64"] {
            assert_eq!(signal(word).as_ref().map(name), Some(word));
        }
        for word in ["", "KILL\n", "averylongname", "a b"] {
            assert!(signal(word).is_none(), "{word:?}");
        }
    }
}
