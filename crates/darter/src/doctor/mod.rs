//! `darter doctor`: what this machine lets Darter do, what it does not, and what to do about it. It tries things out;
//! it must never change the data directory or disturb a server that runs on it.

mod machine;

use std::path::Path;

use darter_sandbox::{Launcher, LauncherConfig, Wall, probe, probe_volumes};
use serde::Serialize;

use crate::bad_configuration;
use crate::client::{Exit, Failure};
use crate::command::output::Output;
use crate::config::{Loaded, Sources};
use crate::up::owner::Identity;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// Works, with less than there could be.
    Weak,
    /// Darter cannot serve strangers here.
    Missing,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    pub name: String,
    pub state: State,
    pub detail: String,
    pub what_to_do: String,
}

impl Check {
    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, detail: detail.into(), what_to_do: String::new() }
    }

    fn weak(name: &str, detail: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Weak, detail: detail.into(), what_to_do: what_to_do.into() }
    }
}

impl From<Wall> for Check {
    fn from(wall: Wall) -> Self {
        let state = match (wall.standing, wall.required) {
            (true, _) => State::Ok,
            (false, false) => State::Weak,
            (false, true) => State::Missing,
        };
        Self { name: wall.name.into(), state, detail: wall.detail, what_to_do: wall.what_to_do }
    }
}

/// Runs every check and prints the table. Exit code 1 when something required is missing.
pub fn run(sources: &Sources, out: Output) -> Result<(), Failure> {
    let loaded = sources.load().map_err(|problems| bad_configuration(&problems))?;
    let identity = Identity::choose(&loaded.config.server.user).map_err(|problem| bad_configuration(&[problem]))?;
    // An identity of its own: leftovers of a running server are not its business.
    let place = std::env::temp_dir().join(format!("darter-doctor-{}", std::process::id()));
    let launcher = Launcher::fork(LauncherConfig::for_data_dir(&place, identity.owner));
    if identity.root {
        // A file-system check must see what the server's account sees.
        darter_sandbox::become_account(identity.owner)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut checks = runtime.block_on(walls(launcher, &place));
    checks.extend(machine::checks(&loaded));
    checks.extend(runtime.block_on(store(&loaded)));
    out.list(&checks, &["check", "state", "what was seen", "what to do"], |check| {
        let state = match check.state {
            State::Ok => "ok",
            State::Weak => "weak",
            State::Missing => "MISSING",
        };
        vec![check.name.clone(), state.into(), check.detail.clone(), check.what_to_do.clone()]
    });
    verdict(&checks, &loaded, out)
}

async fn walls(launcher: Result<Launcher, darter_sandbox::LaunchError>, place: &Path) -> Vec<Check> {
    let connected = match launcher {
        Ok(launcher) => launcher.connect().await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(client) => {
            let mut walls = probe(&client).await;
            walls.push(probe_volumes(&client, &place.join("workspaces")).await);
            // Made by us a moment ago, and empty.
            let _ = std::fs::remove_dir_all(place);
            walls.into_iter().map(Check::from).collect()
        }
        Err(error) => vec![Check {
            name: "launcher".into(),
            state: State::Missing,
            detail: error.to_string(),
            what_to_do: "start as root, or allow user namespaces to this account".into(),
        }],
    }
}

/// Does the bucket of the snapshots answer? Nothing to say when there is none.
async fn store(loaded: &Loaded) -> Option<Check> {
    let config = loaded.config.snapshots.config();
    if !config.remote() {
        return None;
    }
    let name = "snapshots' bucket";
    Some(match darter_platform::workspace::snapshot::answers(&config).await {
        Ok(()) => Check::ok(name, format!("{} answers", config.bucket)),
        Err(error) => Check::weak(
            name,
            format!("{}: {error}", config.bucket),
            "correct [snapshots], or the bucket's rights: no snapshot can be made or restored until then",
        ),
    })
}

fn verdict(checks: &[Check], loaded: &Loaded, out: Output) -> Result<(), Failure> {
    let missing: Vec<&str> =
        checks.iter().filter(|check| check.state == State::Missing).map(|check| check.name.as_str()).collect();
    if missing.is_empty() {
        out.progress("Every wall that strangers' code needs stands.");
        return Ok(());
    }
    let single = if loaded.config.server.single_user {
        "server.single_user is set, so `up` starts all the same."
    } else {
        SINGLE
    };
    Err(Failure::new(Exit::Failed, format!("Missing: {}. {single}", missing.join(", "))))
}

/// What to say about the way out.
pub const SINGLE: &str = "`darter up` refuses to run strangers' code here. If only you write functions on this machine, \
set server.single_user = true (DARTER_SERVER_SINGLE_USER=true): sign-up is then closed.";

/// The folder that exists, nearest to a path.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"))
}
