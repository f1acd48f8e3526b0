//! `terminal.*`: terminals that a session opens or looks at again. What one prints goes out as the peer takes it; the
//! terminal itself belongs to nobody and outlives the session for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::frame::Kind;
use super::{Outcome, Session};
use crate::activity::Input;
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::params::Params;
use crate::signal;
use crate::terminal::pty::Size;
use crate::terminal::{self, Terminal, View};

/// The terminals that this session looks at.
#[derive(Default)]
pub(super) struct Views(Mutex<BTreeMap<u32, (Arc<Terminal>, AbortHandle)>>);

impl Views {
    fn put(&self, terminal: Arc<Terminal>, task: AbortHandle) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(terminal.id, (terminal, task));
        if let Some((_, task)) = before {
            task.abort();
        }
    }

    /// The session has ended: they live on for a while.
    pub(super) fn end(&self, attendant: &Arc<Attendant>) {
        let views = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (terminal, task) in views.into_values() {
            task.abort();
            if terminal.exit().is_none() {
                terminal::leave(attendant, &terminal);
            }
        }
    }
}

pub(super) fn answer(session: &Arc<Session>, what: &str, params: &Params) -> Result<Outcome, Fault> {
    let attendant = &session.attendant;
    match what {
        "open" => {
            attendant.activity.input(Input::Terminal);
            let terminal = terminal::open(attendant, &terminal::wanted(attendant, params)?)?;
            Ok(look(session, terminal))
        }
        "attach" => {
            let terminal = attendant.terminals.get(params.id("terminal")?)?;
            resize(&terminal, params)?;
            Ok(look(session, terminal))
        }
        "resize" => {
            let terminal = attendant.terminals.get(params.id("terminal")?)?;
            resize(&terminal, params)?;
            Ok(json!({}).into())
        }
        "signal" => {
            let terminal = attendant.terminals.get(params.id("terminal")?)?;
            terminal.signal(signal::named(params.text("signal")?.unwrap_or("INT"))?);
            Ok(json!({}).into())
        }
        "close" => {
            attendant.terminals.close(params.id("terminal")?)?;
            Ok(json!({}).into())
        }
        "list" => Ok(json!({"terminals": attendant.terminals.list()}).into()),
        other => Err(Fault::new("request.unknown", format!("`terminal.{other}` is nothing that a session does"))),
    }
}

fn resize(terminal: &Terminal, params: &Params) -> Result<(), Fault> {
    if let (Some(columns), Some(rows)) = (params.number("cols")?, params.number("rows")?) {
        terminal.control.resize(Size::new(columns, rows));
    }
    Ok(())
}

/// Shows it from now on, what is kept of it first.
fn look(session: &Arc<Session>, terminal: Arc<Terminal>) -> Outcome {
    let view = View::new(terminal.clone());
    let (after, answered) = oneshot::channel();
    let result = json!({
        "terminal": terminal.id,
        "pid": terminal.control.pid.as_raw_nonzero(),
        "replay": view.replayed,
    });
    let task = tokio::spawn(show(session.clone(), view, answered));
    session.views.put(terminal, task.abort_handle());
    Outcome { result, after: Some(after) }
}

async fn show(session: Arc<Session>, mut view: View, answered: oneshot::Receiver<()>) {
    // The number of the terminal is said before what it prints.
    let _ = answered.await;
    let id = view.terminal.id;
    while let Some(bytes) = view.next().await {
        if session.output.binary(Kind::TerminalOutput, id, &bytes).await.is_err() {
            return;
        }
    }
    if let Some(exit) = view.terminal.exit() {
        let told = session.output.notify("terminal.exit", exit.told(json!({"terminal": id}))).await;
        if told.is_ok() {
            // Told: nobody needs to find it again. It may be closed already.
            let _ = session.attendant.terminals.close(id);
        }
    }
}
