//! The environment of every program that is started inside. Must never hold what was meant for the attendant itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::attendant::Attendant;
use crate::fault::Fault;

/// Of our own: tuning of our memory, and sockets.
const OURS: &[&str] = &["MALLOC_ARENA_MAX", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// What every program inside is started with, `extra` last.
pub(crate) fn of_program(attendant: &Attendant, extra: &BTreeMap<String, String>) -> BTreeMap<OsString, OsString> {
    let ours = |name: &OsString| OURS.iter().any(|own| name == *own);
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().filter(|(name, _)| !ours(name)).collect();
    all.insert("HOME".into(), attendant.home.clone().into());
    if let Some(claim) = attendant.claim.get() {
        all.insert("DARTER_WORKSPACE".into(), claim.workspace.clone().into());
        for (name, value) in [("HOSTNAME", &claim.hostname), ("VSCODE_PROXY_URI", &claim.addresses.proxy)] {
            if !value.is_empty() {
                all.insert(name.into(), value.into());
            }
        }
        all.insert("SHELL".into(), shell(attendant).into());
        all.extend(claim.variables.iter().map(|(name, value)| (name.into(), value.into())));
    }
    all.extend(extra.iter().map(|(name, value)| (name.into(), value.into())));
    all
}

/// What a terminal runs.
pub(crate) fn shell(attendant: &Attendant) -> String {
    let claimed = attendant.claim.get().map(|claim| claim.shell.clone()).filter(|shell| !shell.is_empty());
    let ours = || std::env::var("SHELL").ok().filter(|shell| !shell.is_empty());
    claimed.or_else(ours).unwrap_or_else(|| "/bin/sh".into())
}

/// Checks what somebody asked a program to be started with.
pub(crate) fn check(argv: &[String], variables: &BTreeMap<String, String>) -> Result<(), Fault> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(Fault::invalid("`argv` is empty: the program's name comes first"));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err(Fault::invalid("an argument holds a NUL byte"));
    }
    match variables.iter().find(|(name, value)| !crate::claim::sound(name, value)) {
        Some((name, _)) => Err(Fault::invalid(format!("`{name}` cannot be an environment variable"))),
        None => Ok(()),
    }
}

/// Why a program did not start.
pub(crate) fn not_started(error: &std::io::Error, program: &str, cwd: &Path) -> Fault {
    match error.kind() {
        std::io::ErrorKind::NotFound if !cwd.is_dir() => {
            Fault::new("file.not_found", format!("{} is no folder to start in", cwd.display()))
        }
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied if !is_anywhere(program) => {
            Fault::new("program.not_found", format!("{program} is not installed here, or not on the PATH"))
        }
        std::io::ErrorKind::PermissionDenied => {
            Fault::new("program.failed", format!("{program} may not be executed (or {} entered)", cwd.display()))
        }
        _ => Fault::new("program.failed", format!("{program} could not be started: {error}")),
    }
}

/// A folder of the PATH that may not be searched makes the kernel speak of permission where a program is only missing.
fn is_anywhere(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match program.contains('/') {
        true => Path::new(program).exists(),
        false => std::env::split_paths(&path).any(|folder| folder.join(program).exists()),
    }
}
