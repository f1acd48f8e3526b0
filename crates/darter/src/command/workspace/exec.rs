//! `darter ws exec`: a program in a workspace with our own input and output. Ends as the program ends.

use std::io::IsTerminal;

use clap::Args;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use reqwest::Upgraded;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::super::Context;
use crate::client::{Exit, Failure};

/// Longest message that is taken.
const LONGEST: usize = 1 << 20;
/// Streams of the attendant's.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;

/// Run a program in it: `exec WS -- make test`; ends with the program's exit code
#[derive(Debug, Args)]
pub struct Exec {
    workspace: String,
    /// Where in the workspace; its home unless told
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// With a terminal of its own, as for a shell
    #[arg(short, long)]
    tty: bool,
    /// The program and its words
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    argv: Vec<String>,
}

#[derive(Deserialize)]
struct Ended {
    exit: Option<i32>,
    #[serde(default)]
    signal: Option<String>,
}

type Socket = WebSocketStream<Upgraded>;

impl Exec {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let found = context.api.workspace(&self.workspace).await?;
        let upgraded = context.api.upgrade(&format!("/workspaces/{}/exec", found.id)).await?;
        let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let socket: Socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        let (mut to, from) = socket.split();
        let raw = if self.tty { Some(Raw::enter()?) } else { None };
        let tty = raw.as_ref().map(|raw| json!({ "cols": raw.size.0, "rows": raw.size.1 }));
        let first = json!({ "argv": self.argv, "cwd": self.cwd, "env": {}, "tty": tty });
        to.send(Message::text(first.to_string())).await.map_err(lost)?;
        let input = tokio::spawn(send_input(to));
        let ended = receive(from).await;
        input.abort();
        drop(raw);
        let Ended { exit, signal } = ended?;
        match (exit, signal) {
            (Some(0), _) => Ok(()),
            // A script asks for the program's own code; nothing is left to be done here.
            (Some(code), _) => std::process::exit(code & 0xff),
            (None, signal) => {
                let signal = signal.unwrap_or_default();
                Err(Failure::new(Exit::Failed, ended_by(&signal)))
            }
        }
    }
}

fn ended_by(signal: &str) -> String {
    let why = match signal {
        "KILL" => " Mostly the workspace's memory was full then: `darter ws show` says so.",
        _ => "",
    };
    format!("The program was ended by the signal {signal}.{why}")
}

fn lost(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unreachable, format!("The connection to the workspace ended: {error}"))
}

/// Passes our input on until it ends, and says that it has ended.
async fn send_input(mut to: SplitSink<Socket, Message>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0u8; 16 << 10];
    loop {
        let count = stdin.read(&mut buffer).await.unwrap_or(0);
        let mut frame = vec![STDIN];
        frame.extend_from_slice(&buffer[..count]);
        if to.send(Message::binary(frame)).await.is_err() || count == 0 {
            return;
        }
    }
}

/// Writes what the program writes; returns how it ended.
async fn receive(mut from: SplitStream<Socket>) -> Result<Ended, Failure> {
    let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
    while let Some(message) = from.next().await {
        match message.map_err(lost)? {
            Message::Binary(frame) => {
                let Some((stream, data)) = frame.split_first() else { continue };
                // A reader that has gone away (`| head`) is no failure of ours.
                let _ = if *stream == STDOUT {
                    stdout.write_all(data).await.and(stdout.flush().await)
                } else {
                    stderr.write_all(data).await.and(stderr.flush().await)
                };
            }
            Message::Text(text) => {
                if let Ok(ended) = serde_json::from_str::<Ended>(&text) {
                    return Ok(ended);
                }
            }
            Message::Close(_) => break,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    Err(lost("it closed before the program did"))
}

/// Our terminal without its own ideas of keys; as it was before when dropped.
struct Raw {
    before: Termios,
    size: (u16, u16),
}

impl Raw {
    fn enter() -> Result<Self, Failure> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Err(Failure::usage("--tty needs a terminal; without it leave --tty out."));
        }
        let before = tcgetattr(&stdin).map_err(std::io::Error::from)?;
        let window = tcgetwinsize(&stdin).map_err(std::io::Error::from)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).map_err(std::io::Error::from)?;
        Ok(Self { before, size: (window.ws_col, window.ws_row) })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that has gone away needs no putting back.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
