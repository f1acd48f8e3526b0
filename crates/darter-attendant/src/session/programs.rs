//! `program.*`: programs that an extension runs beside the files: git, formatters, language servers. They end with the
//! session; what they print waits for the peer, what they are fed waits for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::process::Pid;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::frame::Kind;
use super::{Outcome, Output, Session};
use crate::attendant::Place;
use crate::fault::Fault;
use crate::params::Params;
use crate::program::{self, Piped};
use crate::signal;
use crate::terminal::Exit;

/// What is read at a time.
const PIECE: usize = 32 << 10;

type Fed = (Bytes, OwnedSemaphorePermit);

#[derive(Default)]
pub(super) struct Programs(Mutex<(u32, BTreeMap<u32, Running>)>);

struct Running {
    leader: Pid,
    input: Option<mpsc::UnboundedSender<Fed>>,
    /// Dropped: the program is to go.
    _wanted: oneshot::Sender<()>,
}

impl Programs {
    fn lock(&self) -> MutexGuard<'_, (u32, BTreeMap<u32, Running>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing: the end of its input.
    pub(super) fn feed(&self, id: u32, bytes: Bytes, room: OwnedSemaphorePermit) {
        let mut all = self.lock();
        let Some(running) = all.1.get_mut(&id) else { return };
        if bytes.is_empty() {
            running.input = None;
        } else if let Some(input) = &running.input {
            // A program that closed its input takes no more.
            let _ = input.send((bytes, room));
        }
    }

    pub(super) fn end(&self) {
        self.lock().1.clear();
    }
}

pub(super) fn answer(session: &Arc<Session>, what: &str, params: &Params) -> Result<Outcome, Fault> {
    match what {
        "start" => start(session, params),
        "kill" => {
            let signal = signal::named(params.text("signal")?.unwrap_or("TERM"))?;
            let id = params.id("program")?;
            let leader = session.programs.lock().1.get(&id).map(|running| running.leader);
            // One that has ended needs no signal.
            if let Some(leader) = leader {
                signal::group(leader, signal);
            }
            Ok(json!({}).into())
        }
        other => Err(Fault::new("request.unknown", format!("`program.{other}` is nothing that a session does"))),
    }
}

fn start(session: &Arc<Session>, params: &Params) -> Result<Outcome, Fault> {
    let place = session.attendant.programs.enter()?;
    let argv: Vec<String> = params.value("argv")?;
    let cwd = params.path_if("cwd")?.unwrap_or_else(|| session.attendant.home.clone());
    let piped = program::start(&session.attendant, &argv, &cwd, &params.value("env")?)?;
    let (input, fed) = mpsc::unbounded_channel();
    let (wanted, unwanted) = oneshot::channel();
    let (after, answered) = oneshot::channel();
    let id = {
        let mut all = session.programs.lock();
        all.0 += 1;
        let id = all.0;
        all.1.insert(id, Running { leader: piped.leader, input: Some(input), _wanted: wanted });
        id
    };
    let result = json!({"program": id, "pid": piped.leader.as_raw_nonzero()});
    let Piped { mut child, leader, stdin, stdout, stderr } = piped;
    tokio::spawn(feed(stdin, fed));
    let session = session.clone();
    tokio::spawn(async move {
        // Its number is said before what it prints.
        let _ = answered.await;
        let (ended, seen) = watch::channel(false);
        let outputs = [
            tokio::spawn(show(session.output.clone(), (Kind::Stdout, id), stdout, seen.clone())),
            tokio::spawn(show(session.output.clone(), (Kind::Stderr, id), stderr, seen)),
        ];
        let exit = tokio::select! {
            status = child.wait() => Some(Exit::of(status)),
            _ = unwanted => None,
        };
        match exit {
            Some(exit) => finish(&session, id, &exit, (ended, outputs)).await,
            None => program::end(child, leader),
        }
        drop::<Place>(place);
    });
    Ok(Outcome { result, after: Some(after) })
}

async fn finish(
    session: &Arc<Session>,
    id: u32,
    exit: &Exit,
    (ended, outputs): (watch::Sender<bool>, [JoinHandle<()>; 2]),
) {
    // They are gone already when nobody listens.
    let _ = ended.send(true);
    for output in outputs {
        let _ = output.await;
    }
    session.programs.lock().1.remove(&id);
    // Nobody is left to be told when this fails.
    let _ = session.output.notify("program.exit", exit.told(json!({"program": id}))).await;
}

async fn show(
    output: Output,
    (kind, id): (Kind, u32),
    mut pipe: impl AsyncRead + Unpin,
    mut ended: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = if *ended.borrow() {
            // Something that it left behind may hold the pipe open: that is not waited for.
            tokio::time::timeout(signal::LAST_WORDS, pipe.read(&mut buffer)).await.unwrap_or(Ok(0))
        } else {
            tokio::select! {
                read = pipe.read(&mut buffer) => read,
                _ = ended.changed() => continue,
            }
        };
        let Ok(length @ 1..) = read else { return };
        if output.binary(kind, id, &buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn feed(mut stdin: ChildStdin, mut fed: mpsc::UnboundedReceiver<Fed>) {
    while let Some((bytes, _room)) = fed.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
