//! Terminals: programs that outlive whoever opened them. Several may look at one; it prints as fast as the fastest of them
//! reads, and as fast as it likes when nobody looks. At most [`MOST`], each with bounded memory.

pub(crate) mod pty;
mod replay;
pub(crate) mod socket;
mod view;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::params::Params;
use crate::signal;
use pty::{Control, Running, Size, Wanted};
use replay::Replay;
pub(crate) use view::View;

/// Most terminals at a time.
const MOST: usize = 32;
/// How far a program may print ahead of the fastest viewer.
const AHEAD: u64 = 128 << 10;
/// After the program's end its last output is waited for this long: something else may hold the terminal open.
const LAST_WORDS: Duration = Duration::from_millis(50);
/// How long a terminal that a session left is kept, in pieces: a freeze lengthens one of them at most.
const KEPT_FOR: (u32, Duration) = (60, Duration::from_secs(10));

/// What was typed, and the room that it takes.
type Typed = (Bytes, OwnedSemaphorePermit);

/// All of them.
pub(crate) struct Terminals {
    all: Mutex<(u32, BTreeMap<u32, Arc<Terminal>>)>,
    changed: Arc<Notify>,
}

/// One of them.
pub(crate) struct Terminal {
    pub(crate) id: u32,
    pub(crate) program: String,
    pub(crate) control: Control,
    input: mpsc::UnboundedSender<Typed>,
    inner: Mutex<Inner>,
    /// Something was printed, or it ended.
    printed: Notify,
    /// A viewer went on.
    read: Notify,
    exit: OnceLock<Exit>,
}

#[derive(Default)]
struct Inner {
    replay: Replay,
    next_view: u64,
    /// Where each viewer is.
    views: BTreeMap<u64, u64>,
    /// Counts who came and went, so that a countdown knows that it is out of date.
    visits: u64,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<String>,
}

impl Exit {
    pub(crate) fn of(status: std::io::Result<ExitStatus>) -> Self {
        let status = status.ok();
        Self {
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()).map(signal::name),
        }
    }

    /// `{"exit":code}` or `{"exit":null,"signal":"KILL"}`, with more beside it.
    pub(crate) fn told(&self, mut beside: Value) -> Value {
        beside["exit"] = self.code.into();
        if let Some(signal) = &self.signal {
            beside["signal"] = signal.as_str().into();
        }
        beside
    }
}

impl Terminals {
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Self { all: Mutex::default(), changed }
    }

    fn lock(&self) -> MutexGuard<'_, (u32, BTreeMap<u32, Arc<Terminal>>)> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many programs run in them.
    pub(crate) fn living(&self) -> usize {
        self.lock().1.values().filter(|terminal| terminal.exit.get().is_none()).count()
    }

    pub(crate) fn get(&self, id: u32) -> Result<Arc<Terminal>, Fault> {
        let found = self.lock().1.get(&id).cloned();
        found.ok_or_else(|| Fault::new("terminal.not_found", format!("there is no terminal {id} any more")))
    }

    pub(crate) fn list(&self) -> Value {
        let all = self.lock();
        let told = |terminal: &Arc<Terminal>| {
            let told = json!({
                "terminal": terminal.id,
                "program": terminal.program,
                "pid": terminal.control.pid.as_raw_nonzero(),
                "views": terminal.lock().views.len(),
            });
            match terminal.exit.get() {
                Some(exit) => exit.told(told),
                None => told,
            }
        };
        all.1.values().map(told).collect()
    }

    /// Takes it off the list and ends what runs in it.
    pub(crate) fn close(&self, id: u32) -> Result<(), Fault> {
        let terminal = self.get(id)?;
        if terminal.exit.get().is_none() {
            terminal.control.end();
        }
        self.lock().1.remove(&id);
        self.changed.notify_waiters();
        Ok(())
    }
}

/// Starts a program in a new terminal.
pub(crate) fn open(attendant: &Arc<Attendant>, wanted: &Wanted) -> Result<Arc<Terminal>, Fault> {
    let terminals = &attendant.terminals;
    {
        let mut all = terminals.lock();
        if all.1.len() >= MOST {
            // One that has ended and that nobody looked at since makes room.
            let ended = all.1.values().find(|terminal| terminal.exit.get().is_some()).map(|terminal| terminal.id);
            let ended = ended.ok_or_else(|| {
                Fault::new("limit.reached", format!("there are {MOST} terminals already; close one first"))
            })?;
            all.1.remove(&ended);
        }
    }
    let Running { child, output, input, control } = pty::start(attendant, wanted)?;
    let (sender, typed) = mpsc::unbounded_channel();
    let program = wanted.argv[0].rsplit('/').next().unwrap_or_default().to_owned();
    let terminal = {
        let mut all = terminals.lock();
        all.0 += 1;
        let terminal = Arc::new(Terminal {
            id: all.0,
            program,
            control,
            input: sender,
            inner: Mutex::default(),
            printed: Notify::new(),
            read: Notify::new(),
            exit: OnceLock::new(),
        });
        all.1.insert(terminal.id, terminal.clone());
        terminal
    };
    tokio::spawn(write(input, typed));
    tokio::spawn(run(terminal.clone(), output, child, terminals.changed.clone()));
    terminals.changed.notify_waiters();
    Ok(terminal)
}

/// Writes what was typed, as fast as the program takes it.
async fn write(mut input: pty_process::OwnedWritePty, mut typed: mpsc::UnboundedReceiver<Typed>) {
    while let Some((bytes, _room)) = typed.recv().await {
        if input.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Keeps what is printed, until the program has ended.
async fn run(terminal: Arc<Terminal>, mut output: pty_process::OwnedReadPty, mut child: Child, changed: Arc<Notify>) {
    let mut buffer = vec![0; 8 << 10];
    let mut status = None;
    loop {
        let read = match status {
            None => tokio::select! {
                read = async { terminal.room().await; output.read(&mut buffer).await } => read,
                ended = child.wait() => {
                    status = Some(ended);
                    continue;
                }
            },
            // What is left is little: it is kept whether there is room or not.
            Some(_) => tokio::time::timeout(LAST_WORDS, output.read(&mut buffer)).await.unwrap_or(Ok(0)),
        };
        match read {
            Ok(length @ 1..) => terminal.print(&buffer[..length]),
            // The last holder of the other side is gone: EIO.
            Ok(0) | Err(_) => break,
        }
    }
    let status = match status {
        Some(status) => status,
        None => child.wait().await,
    };
    // It is set here only.
    let _ = terminal.exit.set(Exit::of(status));
    terminal.printed.notify_waiters();
    changed.notify_waiters();
}

impl Terminal {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, bytes: &[u8]) {
        self.lock().replay.push(bytes);
        self.printed.notify_waiters();
    }

    /// Waits until the fastest viewer is near enough, or nobody looks.
    async fn room(&self) {
        loop {
            let read = self.read.notified();
            tokio::pin!(read);
            read.as_mut().enable();
            {
                let inner = self.lock();
                let fastest = inner.views.values().max();
                if fastest.is_none_or(|place| place + AHEAD >= inner.replay.end()) {
                    return;
                }
            }
            read.await;
        }
    }

    /// Types. `room` is held until the program has read it: who hands in little room is held up by a program that does
    /// not read.
    pub(crate) fn type_in(&self, bytes: Bytes, room: OwnedSemaphorePermit) {
        // A program that has ended reads nothing any more.
        let _ = self.input.send((bytes, room));
    }

    pub(crate) fn exit(&self) -> Option<&Exit> {
        self.exit.get()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.control.signal(signal);
    }
}

/// A session ended that had opened or attached to `terminal`: without another visit it goes too.
pub(crate) fn leave(attendant: &Arc<Attendant>, terminal: &Arc<Terminal>) {
    let (attendant, terminal) = (attendant.clone(), terminal.clone());
    let visits = terminal.lock().visits;
    tokio::spawn(async move {
        let (pieces, piece) = KEPT_FOR;
        for _ in 0..pieces {
            tokio::time::sleep(piece).await;
            if terminal.lock().visits != visits {
                return;
            }
        }
        // Gone already is as good.
        let _ = attendant.terminals.close(terminal.id);
    });
}

/// `GET /v1/terminals`
pub(crate) fn list(attendant: &Attendant) -> Answer {
    answer::json(&json!({ "terminals": attendant.terminals.list() }))
}

/// `POST /v1/terminal/close`
pub(crate) fn close(attendant: &Attendant, params: &Params) -> Answer {
    attendant.terminals.close(params.id("id")?)?;
    answer::done()
}

/// What a terminal is asked to run: `shell` and `args`, or the workspace's shell as a login shell.
pub(crate) fn wanted(attendant: &Attendant, params: &Params) -> Result<Wanted, Fault> {
    let shell = params.text("shell")?.filter(|shell| !shell.is_empty());
    let mut argv = vec![shell.map_or_else(|| crate::environment::shell(attendant), str::to_owned)];
    match params.value::<Option<Vec<String>>>("args")? {
        Some(arguments) => argv.extend(arguments),
        None if shell.is_none() => argv.push("-l".into()),
        None => {}
    }
    let size = Size::default();
    let size = match (params.number("cols")?, params.number("rows")?) {
        (Some(columns), Some(rows)) => Size::new(columns, rows),
        _ => size,
    };
    let cwd = params.path_if("cwd")?.unwrap_or_else(|| attendant.home.clone());
    Ok(Wanted { argv, cwd, variables: params.value("env")?, size })
}
