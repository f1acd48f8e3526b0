//! `program.*`: programs that an extension runs beside the files: git, formatters; and the language servers that
//! `language.*` starts. They end with the session; what they print waits for the peer, what they are fed waits for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::frame::Kind;
use super::{Outcome, Output, Session};
use crate::attendant::Place;
use crate::fault::Fault;
use crate::language::{self, Group};
use crate::params::Params;
use crate::program::{self, Piped};
use crate::signal;
use crate::terminal::Exit;

/// What is read at a time.
const PIECE: usize = 32 << 10;

/// What it is fed, and the room that it takes: of the session's, and of its own.
type Fed = (Bytes, OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

#[derive(Default)]
pub(super) struct Programs(Mutex<All>);

#[derive(Default)]
struct All {
    last: u32,
    running: BTreeMap<u32, Running>,
}

impl All {
    fn end_because(&mut self, id: u32, why: &'static str) {
        if let Some(running) = self.running.remove(&id) {
            // One that has just ended needs no reason.
            let _ = running.wanted.send(why);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.running.values().any(|running| running.language.as_ref().is_some_and(|language| language.name == name))
    }
}

struct Running {
    leader: Pid,
    input: Option<mpsc::UnboundedSender<Fed>>,
    language: Option<Language>,
    /// Sent or dropped: the program is to go. Who asked for it is told why when it was not they who left.
    wanted: oneshot::Sender<&'static str>,
}

/// What a language server has besides.
struct Language {
    name: String,
    room: Arc<Semaphore>,
    spoke: Arc<AtomicBool>,
}

impl Language {
    fn new(name: String) -> Self {
        Self { name, room: Arc::new(Semaphore::new(language::UNREAD)), spoke: Arc::default() }
    }

    /// Room for so many bytes; nothing when it has not read what came before.
    fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.spoke.store(true, Ordering::Relaxed);
        self.room.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// What to start.
pub(super) struct Wanted<'a> {
    pub(super) argv: &'a [String],
    pub(super) cwd: PathBuf,
    pub(super) variables: &'a BTreeMap<String, String>,
    /// The name of a language server.
    pub(super) language: Option<String>,
}

impl Programs {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing: the end of its input.
    pub(super) fn feed(&self, id: u32, bytes: Bytes, room: OwnedSemaphorePermit) {
        let mut all = self.lock();
        let Some(running) = all.running.get_mut(&id) else { return };
        let own = match &running.language {
            Some(language) => match language.room(bytes.len()) {
                Some(own) => Some(own),
                None => return all.end_because(id, "unread"),
            },
            None => None,
        };
        if bytes.is_empty() {
            running.input = None;
        } else if let Some(input) = &running.input {
            // A program that closed its input takes no more.
            let _ = input.send((bytes, room, own));
        }
    }

    pub(super) fn end(&self) {
        self.lock().running.clear();
    }
}

pub(super) fn answer(session: &Arc<Session>, what: &str, params: &Params) -> Result<Outcome, Fault> {
    match what {
        "start" => start(session, params),
        "kill" => {
            let signal = signal::named(params.text("signal")?.unwrap_or("TERM"))?;
            let id = params.id("program")?;
            let leader = session.programs.lock().running.get(&id).map(|running| running.leader);
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
    let argv: Vec<String> = params.value("argv")?;
    let cwd = params.path_if("cwd")?.unwrap_or_else(|| session.attendant.home.clone());
    launch(session, Wanted { argv: &argv, cwd, variables: &params.value("env")?, language: None })
}

pub(super) fn launch(session: &Arc<Session>, wanted: Wanted<'_>) -> Result<Outcome, Fault> {
    let place = session.attendant.programs.enter()?;
    let mut all = session.programs.lock();
    if let Some(name) = wanted.language.as_ref().filter(|name| all.has(name)) {
        return Err(Fault::new("limit.reached", format!("the language server {name} runs already; end it first")));
    }
    let piped = program::start(&session.attendant, wanted.argv, &wanted.cwd, wanted.variables)?;
    let language = wanted.language.map(Language::new);
    let group = language.as_ref().map(|_| session.attendant.language_servers.enter(piped.leader));
    let spoke = language.as_ref().map(|language| language.spoke.clone());
    let (input, fed) = mpsc::unbounded_channel();
    let (wanted, unwanted) = oneshot::channel();
    let (after, answered) = oneshot::channel();
    all.last += 1;
    let id = all.last;
    all.running.insert(id, Running { leader: piped.leader, input: Some(input), language, wanted });
    drop(all);
    let result = json!({"program": id, "pid": piped.leader.as_raw_nonzero()});
    tokio::spawn(live(session.clone(), id, piped, Ends { answered, fed, unwanted, spoke, _kept: (place, group) }));
    Ok(Outcome { result, after: Some(after) })
}

/// What a program's life hangs on.
struct Ends {
    answered: oneshot::Receiver<()>,
    fed: mpsc::UnboundedReceiver<Fed>,
    unwanted: oneshot::Receiver<&'static str>,
    spoke: Option<Arc<AtomicBool>>,
    _kept: (Place, Option<Group>),
}

async fn live(session: Arc<Session>, id: u32, piped: Piped, ends: Ends) {
    let Piped { mut child, leader, stdin, stdout, stderr } = piped;
    tokio::spawn(feed(stdin, ends.fed));
    // Its number is said before what it prints.
    let _ = ends.answered.await;
    let (ended, seen) = watch::channel(false);
    let outputs = [
        tokio::spawn(show(session.output.clone(), (Kind::Stdout, id), stdout, seen.clone())),
        tokio::spawn(show(session.output.clone(), (Kind::Stderr, id), stderr, seen)),
    ];
    let why = tokio::select! {
        status = child.wait() => {
            let exit = Exit::of(status);
            return finish(&session, id, exit.told(json!({"program": id})), (ended, outputs)).await;
        }
        why = ends.unwanted => why.ok(),
        () = silence(ends.spoke.as_deref()) => Some("idle"),
    };
    program::end(child, leader);
    if let Some(why) = why {
        let last = json!({"program": id, "exit": null, "signal": "HUP", "why": why});
        finish(&session, id, last, (ended, outputs)).await;
    }
}

/// Never, but for a language server.
async fn silence(spoke: Option<&AtomicBool>) {
    match spoke {
        Some(spoke) => language::silence(spoke).await,
        None => std::future::pending().await,
    }
}

async fn finish(
    session: &Arc<Session>,
    id: u32,
    last: Value,
    (ended, outputs): (watch::Sender<bool>, [JoinHandle<()>; 2]),
) {
    // They are gone already when nobody listens.
    let _ = ended.send(true);
    for output in outputs {
        let _ = output.await;
    }
    session.programs.lock().running.remove(&id);
    // Nobody is left to be told when this fails.
    let _ = session.output.notify("program.exit", last).await;
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
    while let Some((bytes, _room, _own)) = fed.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
