//! A program on a pseudo-terminal: starting it, its size, its signals. Must never leave a descriptor of it open in
//! another program.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use pty_process::{OwnedReadPty, OwnedWritePty};
use rustix::process::{Pid, Signal};
use rustix::termios::{Winsize, tcgetpgrp, tcsetwinsize};
use tokio::process::Child;

use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::{environment, processes, signal};

/// Columns and rows, within reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    columns: u16,
    rows: u16,
}

impl Size {
    pub(crate) fn new(columns: u64, rows: u64) -> Self {
        let within = |value: u64| u16::try_from(value.clamp(1, 1000)).unwrap_or(1000);
        Self { columns: within(columns), rows: within(rows) }
    }
}

impl Default for Size {
    fn default() -> Self {
        Self { columns: 80, rows: 24 }
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) argv: Vec<String>,
    pub(crate) cwd: PathBuf,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) size: Size,
}

/// The running program and both directions of its terminal.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) output: OwnedReadPty,
    pub(crate) input: OwnedWritePty,
    pub(crate) control: Control,
}

/// What is done to a terminal from beside.
pub(crate) struct Control {
    terminal: OwnedFd,
    pub(crate) pid: Pid,
}

/// Starts `wanted`.
pub(crate) fn start(attendant: &Attendant, wanted: &Wanted) -> Result<Running, Fault> {
    environment::check(&wanted.argv, &wanted.variables)?;
    let failed = |error: pty_process::Error| match error {
        pty_process::Error::Io(error) => environment::not_started(&error, &wanted.argv[0], &wanted.cwd),
        pty_process::Error::Rustix(error) => {
            environment::not_started(&io::Error::from(error), &wanted.argv[0], &wanted.cwd)
        }
        other => Fault::new("program.failed", other.to_string()),
    };
    let no_terminal = |error: pty_process::Error| {
        Fault::new("limit.reached", format!("no terminal could be made ({error}); close another one first"))
    };
    let (pty, program_side) = pty_process::open().map_err(no_terminal)?;
    let terminal = rustix::io::fcntl_dupfd_cloexec(pty.as_fd(), 3).map_err(|error| no_terminal(error.into()))?;
    let mut variables = environment::of_program(attendant, &BTreeMap::new());
    variables.insert("TERM".into(), "xterm-256color".into());
    variables.insert("COLORTERM".into(), "truecolor".into());
    variables.extend(wanted.variables.iter().map(|(name, value)| (name.into(), value.into())));
    let command = pty_process::Command::new(&wanted.argv[0])
        .args(&wanted.argv[1..])
        .env_clear()
        .envs(variables)
        .current_dir(&wanted.cwd);
    let sized = set_size(&terminal, wanted.size);
    sized.map_err(|error| no_terminal(error.into()))?;
    let child = command.spawn(program_side).map_err(failed)?;
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let pid = pid.ok_or_else(|| Fault::new("program.failed", "the program ended at once"))?;
    let (output, input) = pty.into_split();
    Ok(Running { child, output, input, control: Control { terminal, pid } })
}

fn set_size(terminal: &OwnedFd, size: Size) -> rustix::io::Result<()> {
    tcsetwinsize(terminal, Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 })
}

impl Control {
    /// A terminal whose program has ended has no size to set.
    pub(crate) fn resize(&self, size: Size) {
        let _ = set_size(&self.terminal, size);
    }

    /// To whatever is in the foreground, as a key would.
    pub(crate) fn signal(&self, signal: Signal) {
        signal::group(tcgetpgrp(&self.terminal).unwrap_or(self.pid), signal);
    }

    /// Everything in the terminal's session is told that it is gone, and killed when it does not go.
    pub(crate) fn end(&self) {
        let pid = self.pid;
        processes::signal_session(pid, Signal::HUP);
        processes::signal_session(pid, Signal::CONT);
        tokio::spawn(async move {
            tokio::time::sleep(signal::GRACE).await;
            processes::signal_session(pid, Signal::KILL);
        });
    }
}
