//! Which walls stand, remembered for as long as the machine runs: trying them all takes seconds, and a start should not.
//! A new kernel, a new program or another account tries them again.

use std::path::Path;

use darter_sandbox::{LauncherClient, Wall, probe, probe_volumes};
use serde::{Deserialize, Serialize};

use crate::client::{Exit, Failure};
use crate::doctor::SINGLE;

/// A wall as it is remembered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    pub name: String,
    pub standing: bool,
    pub detail: String,
    pub what_to_do: String,
    pub required: bool,
}

#[derive(Serialize, Deserialize)]
struct Memory {
    key: String,
    walls: Vec<Seen>,
}

impl From<Wall> for Seen {
    fn from(wall: Wall) -> Self {
        let Wall { name, standing, detail, what_to_do, required } = wall;
        Self { name: name.into(), standing, detail, what_to_do, required }
    }
}

/// What was seen since the machine was started, or what is seen now.
pub async fn look(launcher: &LauncherClient, data: &Path) -> Vec<Seen> {
    let path = data.join("walls.json");
    let key = key();
    let remembered = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Memory>(&bytes).ok());
    if let Some(memory) = remembered.filter(|memory| memory.key == key && !missing(&memory.walls)) {
        return memory.walls;
    }
    tracing::info!("trying the walls of the sandbox; once after each start of the machine");
    let mut walls: Vec<Seen> = probe(launcher).await.into_iter().map(Seen::from).collect();
    walls.push(probe_volumes(launcher, &data.join("workspaces")).await.into());
    if let Ok(bytes) = serde_json::to_vec(&Memory { key, walls: walls.clone() }) {
        // Only a memory: without it the next start looks again.
        let _ = std::fs::write(&path, bytes);
    }
    walls
}

fn key() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let who = rustix::process::getuid().as_raw();
    let program = env!("CARGO_PKG_VERSION");
    format!("{program} {who} {} {}", read("/proc/sys/kernel/osrelease"), read("/proc/sys/kernel/random/boot_id"))
}

fn missing(walls: &[Seen]) -> bool {
    walls.is_empty() || walls.iter().any(|wall| wall.required && !wall.standing)
}

/// Refuses to serve strangers without a required wall, unless the operator says that there are none.
pub fn admit(walls: &[Seen], single_user: bool) -> Result<(), Failure> {
    if !missing(walls) {
        return Ok(());
    }
    let lines = walls.iter().filter(|wall| wall.required && !wall.standing);
    let lines: Vec<String> =
        lines.map(|wall| format!("  {}: {} → {}", wall.name, wall.detail, wall.what_to_do)).collect();
    if single_user {
        tracing::warn!(
            missing = lines.len(),
            "required walls are missing; server.single_user is set, so sign-up is closed"
        );
        return Ok(());
    }
    let mut failure =
        Failure::new(Exit::Failed, format!("walls of the sandbox are missing:\n{}\n{SINGLE}", lines.join("\n")));
    failure.detail.code = "sandbox.wall_missing".into();
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_required_wall_is_refused_unless_there_is_one_user() {
        let wall = |standing, required| {
            let [name, detail, what_to_do] = ["seccomp", "not there", "use another kernel"].map(str::to_owned);
            Seen { name, standing, detail, what_to_do, required }
        };
        let rows = [
            (vec![wall(true, true)], false, true),
            (vec![wall(true, true), wall(false, false)], false, true),
            (vec![wall(false, true)], false, false),
            (vec![wall(false, true)], true, true),
            (Vec::new(), false, false),
        ];
        for (walls, single, fine) in rows {
            assert_eq!(admit(&walls, single).is_ok(), fine, "{walls:?} {single}");
        }
    }
}
