//! `GET /v1/terminal`: a terminal as a WebSocket. Closing it leaves the program running.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

use super::pty::Size;
use super::{Terminal, View};
use crate::activity::Input;
use crate::answer::Answer;
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::params::Params;
use crate::signal;
use crate::websocket::{self, Socket};

/// Largest message of a viewer (a paste), and all that may wait to be read by the program.
const LARGEST: usize = 1 << 20;

pub(crate) fn upgrade(attendant: Arc<Attendant>, request: Request<Incoming>) -> Answer {
    let params = Params::of_query(request.uri());
    let terminal = match params.number("id")? {
        Some(_) => attendant.terminals.get(params.id("id")?)?,
        None => super::open(&attendant, &super::wanted(&attendant, &params)?)?,
    };
    if let (Some(columns), Some(rows)) = (params.number("cols")?, params.number("rows")?) {
        terminal.control.resize(Size::new(columns, rows));
    }
    let view = View::new(terminal.clone());
    websocket::upgrade(request, LARGEST, move |socket| async move {
        let (sink, stream) = socket.split();
        tokio::select! {
            () = show(view, sink, &attendant) => {}
            () = obey(stream, &terminal, &attendant) => {}
        }
    })
}

/// Sends what is printed, and how it ended.
async fn show(mut view: View, mut sink: SplitSink<Socket, Message>, attendant: &Attendant) {
    let first = json!({"terminal": view.terminal.id, "replay": view.replayed});
    let mut sent = sink.send(Message::text(first.to_string())).await;
    while sent.is_ok() {
        sent = match tokio::time::timeout(websocket::QUIET, view.next()).await {
            Ok(Some(bytes)) => sink.send(Message::Binary(bytes)).await,
            Ok(None) => break,
            Err(_) => sink.send(Message::Ping(Bytes::new())).await,
        };
    }
    if let (Ok(()), Some(exit)) = (sent, view.terminal.exit()) {
        // Told: nobody needs to find it again. A viewer that left meanwhile misses nothing.
        let _ = sink.send(Message::text(exit.told(json!({})).to_string())).await;
        let _ = attendant.terminals.close(view.terminal.id);
        let _ = sink.close().await;
    }
}

/// Does what the viewer says, until they are gone.
async fn obey(mut stream: SplitStream<Socket>, terminal: &Arc<Terminal>, attendant: &Attendant) {
    let room = Arc::new(Semaphore::new(LARGEST));
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Binary(bytes) => {
                attendant.activity.input(Input::Terminal);
                let length = u32::try_from(bytes.len().min(LARGEST)).unwrap_or(u32::MAX);
                // Closed by nobody.
                let Ok(room) = room.clone().acquire_many_owned(length).await else { return };
                terminal.type_in(bytes, room);
            }
            // What nobody understands is left out: a newer viewer may say more.
            Message::Text(text) => drop(command(terminal, text.as_str().as_bytes())),
            Message::Close(_) => return,
            _ => {}
        }
    }
}

fn command(terminal: &Terminal, text: &[u8]) -> Result<(), Fault> {
    let params = Params::of_json(text)?;
    if let Some((columns, rows)) = params.value::<Option<(u64, u64)>>("resize")? {
        terminal.control.resize(Size::new(columns, rows));
    }
    if let Some(name) = params.text("signal")? {
        terminal.signal(signal::named(name)?);
    }
    Ok(())
}
