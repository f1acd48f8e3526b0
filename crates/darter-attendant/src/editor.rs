//! The editor's process: started on descriptor 5 when the platform says so, or before the claim to wait warm; ended in
//! order. It must never listen by itself: whoever connects before it is ready waits in the platform's backlog.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;

use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::params::Params;
use crate::{environment, passed, signal};

/// What is kept of the editor's output.
const LINES: usize = 20;
const LINE: usize = 500;
/// Longest that a stop may be told to wait.
const MOST_GRACE: Duration = Duration::from_secs(60);

/// How an editor is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Recipe {
    pub(crate) argv: Vec<String>,
    /// Where it starts; the home when absent.
    pub(crate) cwd: Option<PathBuf>,
    /// Besides the claim's.
    pub(crate) variables: BTreeMap<String, String>,
    /// The descriptor at which it finds its listening socket (3 when absent).
    pub(crate) descriptor: Option<i32>,
    /// It is ready once a line of its output holds this; when absent, once it runs.
    pub(crate) ready: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    #[default]
    Absent,
    /// It runs, and waits to be told whose it is.
    Warm,
    Starting,
    Ready,
    Ended,
}

#[derive(Default)]
struct Inner {
    state: State,
    pid: Option<Pid>,
    /// Held open while it waits warm.
    told: Option<ChildStdin>,
    ready: Option<String>,
    exit_code: Option<i32>,
    signal: Option<String>,
    lines: VecDeque<String>,
    /// How often one has ended: who looks only now and then sees that it was another one.
    ends: u64,
}

/// The one editor of a sandbox.
pub(crate) struct Editor {
    socket: Option<OwnedFd>,
    inner: Mutex<Inner>,
    ended: Notify,
    changed: Arc<Notify>,
}

impl Editor {
    pub(crate) fn new(socket: Option<OwnedFd>, changed: Arc<Notify>) -> Self {
        Self { socket, inner: Mutex::default(), ended: Notify::new(), changed }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state
    }

    pub(crate) fn event(&self) -> Value {
        let inner = self.lock();
        json!({
            "event": "editor",
            "state": inner.state,
            "exit_code": inner.exit_code,
            "signal": inner.signal,
            "ends": inner.ends,
            "last_lines": if inner.state == State::Ended { inner.lines.clone() } else { VecDeque::new() },
        })
    }

    /// Takes one line of its output.
    fn heard(&self, line: String) {
        let mut inner = self.lock();
        if inner.state == State::Starting && inner.ready.as_ref().is_some_and(|word| line.contains(word)) {
            inner.state = State::Ready;
            self.changed.notify_waiters();
        }
        if inner.lines.len() == LINES {
            inner.lines.pop_front();
        }
        inner.lines.push_back(line);
    }

    fn gone(&self, status: std::io::Result<std::process::ExitStatus>) {
        use std::os::unix::process::ExitStatusExt;
        let mut inner = self.lock();
        inner.state = State::Ended;
        inner.ends += 1;
        inner.pid = None;
        inner.told = None;
        let status = status.ok();
        inner.exit_code = status.and_then(|status| status.code());
        inner.signal = status.and_then(|status| status.signal()).map(signal::name);
        drop(inner);
        self.ended.notify_waiters();
        self.changed.notify_waiters();
    }
}

/// `POST /v1/editor/warm`: starts it ahead of the claim.
pub(crate) fn warm(attendant: &Arc<Attendant>, params: &Params) -> Answer {
    if attendant.claim.get().is_some() {
        return Err(Fault::new("claim.conflict", "this sandbox is claimed: start the editor instead"));
    }
    if !matches!(attendant.editor.state(), State::Absent | State::Ended) {
        return answer::done();
    }
    let recipe: Recipe = params.value("editor")?;
    launch(attendant, &recipe, true)?;
    answer::done()
}

/// `POST /v1/editor/start`
pub(crate) fn start(attendant: &Arc<Attendant>) -> Answer {
    let recipe = attendant.claim.get().and_then(|claim| claim.editor.as_ref());
    let recipe = recipe.ok_or_else(|| Fault::new("editor.not_described", "the claim describes no editor"))?;
    match attendant.editor.state() {
        State::Starting | State::Ready => {}
        State::Warm => go_on(attendant, recipe),
        State::Absent | State::Ended => launch(attendant, recipe, false)?,
    }
    answer::done()
}

/// Tells a warm editor whose it is: one line of JSON on its standard input, then the end of it.
fn go_on(attendant: &Arc<Attendant>, recipe: &Recipe) {
    let told = {
        let mut inner = attendant.editor.lock();
        inner.state = if recipe.ready.is_some() { State::Starting } else { State::Ready };
        inner.ready.clone_from(&recipe.ready);
        inner.told.take()
    };
    let text = |name: &std::ffi::OsString| name.to_string_lossy().into_owned();
    let variables: BTreeMap<String, String> = environment::of_program(attendant, &recipe.variables)
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    let cwd = recipe.cwd.as_ref().unwrap_or(&attendant.home);
    let line = format!("{}\n", json!({"variables": variables, "cwd": cwd, "argv": recipe.argv}));
    attendant.changed.notify_waiters();
    if let Some(mut told) = told {
        // When it is gone its end says so.
        tokio::spawn(async move { told.write_all(line.as_bytes()).await });
    }
}

/// Ends an editor that waits warm: the claim has no use for one, and it takes as much memory as everything else together.
pub(crate) fn let_go(attendant: &Attendant) {
    let inner = attendant.editor.lock();
    if let (State::Warm, Some(pid)) = (inner.state, inner.pid) {
        signal::group(pid, Signal::KILL);
    }
}

fn launch(attendant: &Arc<Attendant>, recipe: &Recipe, warm: bool) -> Result<(), Fault> {
    environment::check(&recipe.argv, &recipe.variables)?;
    let cwd = recipe.cwd.as_ref().unwrap_or(&attendant.home);
    let mut command = Command::new(&recipe.argv[0]);
    command.args(&recipe.argv[1..]).env_clear().envs(environment::of_program(attendant, &recipe.variables));
    command.current_dir(cwd).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if warm { Stdio::piped() } else { Stdio::null() });
    if warm {
        command.env("DARTER_WARM", "1");
    }
    if let Some(socket) = &attendant.editor.socket {
        let number = recipe.descriptor.unwrap_or(3);
        command.env("LISTEN_FDS", "1").env("DARTER_LISTEN_FD", number.to_string());
        passed::pass_on(&mut command, socket, number).map_err(|error| Fault::invalid(error.to_string()))?;
    }
    let mut child = command.spawn().map_err(|error| environment::not_started(&error, &recipe.argv[0], cwd))?;
    {
        let mut inner = attendant.editor.lock();
        *inner = Inner {
            state: match (warm, &recipe.ready) {
                (true, _) => State::Warm,
                (false, Some(_)) => State::Starting,
                (false, None) => State::Ready,
            },
            pid: child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)),
            told: child.stdin.take(),
            ready: recipe.ready.clone(),
            ends: inner.ends,
            ..Inner::default()
        };
    }
    attendant.changed.notify_waiters();
    tokio::spawn(watch(attendant.clone(), child));
    Ok(())
}

async fn watch(attendant: Arc<Attendant>, mut child: Child) {
    let outputs = (child.stdout.take(), child.stderr.take());
    let (ours, theirs) = (attendant.clone(), attendant.clone());
    tokio::spawn(async move {
        if let Some(output) = outputs.0 {
            listen(&ours.editor, output).await;
        }
    });
    tokio::spawn(async move {
        if let Some(output) = outputs.1 {
            listen(&theirs.editor, output).await;
        }
    });
    let status = child.wait().await;
    attendant.editor.gone(status);
}

/// Reads lines for ever: an editor whose output nobody reads would stop. A long one is cut.
async fn listen(editor: &Editor, mut output: impl AsyncRead + Unpin) {
    let mut line = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        for byte in &buffer[..length] {
            match byte {
                b'\n' => editor.heard(String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned()),
                byte if line.len() < LINE => line.push(*byte),
                _ => {}
            }
        }
    }
    if !line.is_empty() {
        editor.heard(String::from_utf8_lossy(&line).into_owned());
    }
}

/// `POST /v1/editor/stop`
pub(crate) async fn stop(attendant: &Arc<Attendant>, params: &Params) -> Answer {
    let grace = params.number("grace_ms")?.map_or(signal::GRACE, Duration::from_millis).min(MOST_GRACE);
    let editor = &attendant.editor;
    let ended = editor.ended.notified();
    tokio::pin!(ended);
    ended.as_mut().enable();
    let Some(pid) = editor.lock().pid else { return answer::done() };
    signal::group(pid, Signal::TERM);
    if tokio::time::timeout(grace, ended.as_mut()).await.is_err() {
        signal::group(pid, Signal::KILL);
        ended.await;
    }
    // What it started may have outlived it.
    signal::group(pid, Signal::KILL);
    answer::done()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn an_editor_that_ends_as_the_one_before_it_is_told_all_the_same() {
        let editor = Editor::new(None, Arc::new(Notify::new()));
        let end = || {
            editor.gone(Ok(std::process::ExitStatus::from_raw(3 << 8)));
            editor.event()
        };
        // Nobody looked in between.
        assert_ne!(end(), end());
    }
}
