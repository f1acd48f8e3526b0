//! `GET /v1/exec`: one program over a WebSocket, with or without a terminal. It lives no longer than the socket. Nothing is
//! buffered beyond a few pieces: a slow reader slows the program down, a program that does not read slows the writer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use hyper::body::Incoming;
use rustix::process::Pid;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::activity::Input;
use crate::answer::Answer;
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::params::Params;
use crate::program::Piped;
use crate::terminal::Exit;
use crate::terminal::pty::{self, Control, Size, Wanted};
use crate::websocket::{self, Socket};
use crate::{program, signal};

/// Largest message inwards.
const LARGEST: usize = 1 << 20;
/// What is read of a program's output at a time.
const PIECE: usize = 32 << 10;
/// Pieces that may wait, each way.
const WAITING: usize = 4;
/// How long a peer may take to say what to run.
const FIRST_WORD: Duration = Duration::from_secs(30);

/// The stream numbers of binary frames.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;

#[derive(Deserialize)]
struct Columns {
    cols: u64,
    rows: u64,
}

/// The running program, however it was started.
struct Program {
    child: tokio::process::Child,
    leader: Pid,
    control: Option<Control>,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    outputs: Vec<(u8, Box<dyn AsyncRead + Send + Unpin>)>,
}

pub(crate) fn upgrade(attendant: Arc<Attendant>, request: Request<Incoming>) -> Answer {
    let place = attendant.programs.enter()?;
    websocket::upgrade(request, LARGEST, move |socket| async move {
        let (mut sink, mut stream) = socket.split();
        let Ok(started) = tokio::time::timeout(FIRST_WORD, begin(&attendant, &mut stream)).await else { return };
        let last = match started {
            Ok(Some(program)) => run(&attendant, program, &mut sink, stream).await,
            Ok(None) => return,
            Err(fault) => Some(json!({"exit": null, "error": {"code": fault.code, "message": fault.message}})),
        };
        if let Some(last) = last {
            // Whoever left meanwhile is not told.
            let _ = sink.send(Message::text(last.to_string())).await;
            let _ = sink.close().await;
        }
        drop(place);
    })
}

/// The first text frame; `None`: the peer left before it.
async fn begin(attendant: &Arc<Attendant>, stream: &mut SplitStream<Socket>) -> Result<Option<Program>, Fault> {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Text(text) => return start(attendant, &Params::of_json(text.as_bytes())?).map(Some),
            Message::Binary(_) => return Err(Fault::invalid("the first frame is a text: {\"argv\":[…]}")),
            Message::Close(_) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

fn start(attendant: &Arc<Attendant>, params: &Params) -> Result<Program, Fault> {
    let argv: Vec<String> = params.value("argv")?;
    let variables: BTreeMap<String, String> = params.value("env")?;
    let cwd = params.path_if("cwd")?.unwrap_or_else(|| attendant.home.clone());
    if let Some(tty) = params.value::<Option<Columns>>("tty")? {
        attendant.activity.input(Input::Terminal);
        let wanted = Wanted { argv, cwd, variables, size: Size::new(tty.cols, tty.rows) };
        let running = pty::start(attendant, &wanted)?;
        return Ok(Program {
            child: running.child,
            leader: running.control.pid,
            control: Some(running.control),
            input: Box::new(running.input),
            outputs: vec![(STDOUT, Box::new(running.output))],
        });
    }
    let Piped { child, leader, stdin, stdout, stderr } = program::start(attendant, &argv, &cwd, &variables)?;
    Ok(Program {
        child,
        leader,
        control: None,
        input: Box::new(stdin),
        outputs: vec![(STDOUT, Box::new(stdout)), (STDERR, Box::new(stderr))],
    })
}

/// Runs it to its end. `None`: the peer left, and the program was told to go.
async fn run(
    attendant: &Arc<Attendant>,
    mut program: Program,
    sink: &mut SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
) -> Option<Value> {
    let (sender, pieces) = mpsc::channel(WAITING);
    for (number, output) in program.outputs.drain(..) {
        tokio::spawn(read(number, output, sender.clone()));
    }
    drop(sender);
    let (typed, waiting) = mpsc::channel(WAITING);
    tokio::spawn(write(program.input, waiting, program.control.is_some()));
    // Both at once: a signal must arrive while the peer does not read.
    let ended = tokio::select! {
        () = obey(attendant, stream, typed, program.leader, program.control.as_ref()) => None,
        ended = show(&mut program.child, pieces, sink) => ended,
    };
    if ended.is_none() {
        if let Some(control) = &program.control {
            control.end();
        }
        program::end(program.child, program.leader);
    }
    ended.map(|exit| exit.told(json!({})))
}

/// Sends what the program prints until it has ended; `None`: the peer is gone.
async fn show(
    child: &mut tokio::process::Child,
    mut pieces: mpsc::Receiver<Bytes>,
    sink: &mut SplitSink<Socket, Message>,
) -> Option<Exit> {
    let mut ended: Option<Exit> = None;
    loop {
        let patience = if ended.is_some() { signal::LAST_WORDS } else { websocket::QUIET };
        let message = tokio::select! {
            biased;
            piece = tokio::time::timeout(patience, pieces.recv()) => match (piece, ended.take()) {
                (Ok(Some(bytes)), still) => {
                    ended = still;
                    Message::Binary(bytes)
                }
                (_, Some(exit)) => return Some(exit),
                // Its outputs are closed, and it goes on.
                (Ok(None), None) => return Some(Exit::of(child.wait().await)),
                (Err(_), None) => Message::Ping(Bytes::new()),
            },
            status = child.wait(), if ended.is_none() => {
                ended = Some(Exit::of(status));
                continue;
            }
        };
        sink.send(message).await.ok()?;
    }
}

async fn read(number: u8, mut output: Box<dyn AsyncRead + Send + Unpin>, pieces: mpsc::Sender<Bytes>) {
    let mut buffer = BytesMut::new();
    loop {
        // The buffer is handed over whole, so nothing is copied twice.
        buffer.reserve(PIECE);
        buffer.put_u8(number);
        match (&mut output).take(PIECE as u64 - 1).read_buf(&mut buffer).await {
            Ok(1..) => {
                if pieces.send(buffer.split().freeze()).await.is_err() {
                    return;
                }
            }
            // A terminal whose program is gone says EIO.
            Ok(0) | Err(_) => return,
        }
    }
}

async fn write(mut input: Box<dyn AsyncWrite + Send + Unpin>, mut waiting: mpsc::Receiver<Bytes>, tty: bool) {
    while let Some(bytes) = waiting.recv().await {
        let bytes = match (bytes.is_empty(), tty) {
            (false, _) => bytes,
            // The end of a terminal's input is a key: Ctrl-D.
            (true, true) => Bytes::from_static(&[4]),
            (true, false) => return,
        };
        if input.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Does what the peer says until they are gone.
async fn obey(
    attendant: &Attendant,
    mut stream: SplitStream<Socket>,
    typed: mpsc::Sender<Bytes>,
    leader: Pid,
    control: Option<&Control>,
) {
    let mut typed = Some(typed);
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Binary(mut bytes) if bytes.first() == Some(&STDIN) => {
                let bytes = bytes.split_off(1);
                if control.is_some() {
                    attendant.activity.input(Input::Terminal);
                }
                let end = bytes.is_empty() && control.is_none();
                if let Some(input) = &typed {
                    // A program that closed its input takes no more.
                    let _ = input.send(bytes).await;
                }
                if end {
                    typed = None;
                }
            }
            // What nobody understands is left out: a newer peer may say more.
            Message::Text(text) => drop(command(text.as_str().as_bytes(), leader, control)),
            Message::Close(_) => return,
            _ => {}
        }
    }
}

fn command(text: &[u8], leader: Pid, control: Option<&Control>) -> Result<(), Fault> {
    let params = Params::of_json(text)?;
    if let (Some((columns, rows)), Some(control)) = (params.value::<Option<(u64, u64)>>("resize")?, control) {
        control.resize(Size::new(columns, rows));
    }
    if let Some(name) = params.text("signal")? {
        let signal = signal::named(name)?;
        match control {
            Some(control) => control.signal(signal),
            None => signal::group(leader, signal),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_comes_in_pieces_that_name_their_stream() {
        let (sender, mut pieces) = mpsc::channel(64);
        let output = vec![b'x'; 3 * PIECE];
        read(STDERR, Box::new(std::io::Cursor::new(output)), sender).await;
        let mut length = 0;
        while let Some(piece) = pieces.recv().await {
            assert_eq!(piece[0], STDERR);
            assert!(piece.len() <= PIECE);
            length += piece.len() - 1;
        }
        assert_eq!(length, 3 * PIECE);
    }
}
