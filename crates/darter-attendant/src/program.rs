//! A program on pipes, and its end. Must never leave behind what it started when whoever asked for it has gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::{environment, signal};

/// A running program; it leads a process group of its own.
pub(crate) struct Piped {
    pub(crate) child: Child,
    pub(crate) leader: Pid,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

pub(crate) fn start(
    attendant: &Attendant,
    argv: &[String],
    cwd: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Piped, Fault> {
    environment::check(argv, variables)?;
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).env_clear().envs(environment::of_program(attendant, variables)).current_dir(cwd);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| environment::not_started(&error, &argv[0], cwd))?;
    let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let pipes = (leader, child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(leader), Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(Fault::new("program.failed", "the program has no pipes"));
    };
    Ok(Piped { child, leader, stdin, stdout, stderr })
}

/// SIGHUP, then SIGKILL, to everything in its process group.
pub(crate) fn end(mut child: Child, leader: Pid) {
    tokio::spawn(async move {
        signal::group(leader, Signal::HUP);
        signal::group(leader, Signal::CONT);
        let _ = tokio::time::timeout(signal::GRACE, child.wait()).await;
        signal::group(leader, Signal::KILL);
        let _ = child.wait().await;
    });
}
