//! `darter ws …`

mod copy;
mod exec;
mod manage;
mod ports;
mod snapshots;
mod ssh;
mod wait;

use std::path::PathBuf;

use clap::Subcommand;
use darter_api::workspace::Workspace;

use super::Context;
use super::output::{bytes, time};
use crate::client::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All workspaces that I am a member of
    List {
        /// The recycle bin instead
        #[arg(long)]
        recycled: bool,
    },
    /// Make a workspace and start it
    Create(manage::Create),
    /// One workspace: what it does, what happens next and why, what it uses
    Show { workspace: String },
    /// Start a workspace
    Start {
        workspace: String,
        /// Return when its page answers, and print where the time went
        #[arg(long)]
        wait: bool,
    },
    /// End what runs; its files stay, and opening it starts it again
    Stop { workspace: String },
    /// End what runs and start it anew
    Restart { workspace: String },
    /// Give a workspace another name
    Rename { workspace: String, name: String },
    /// Show or change limits and rest times: `set WS memory_bytes=4294967296 freeze_after_ms=600000 depth=light`
    Set {
        workspace: String,
        #[arg(value_name = "NAME=VALUE")]
        changes: Vec<String>,
    },
    /// Do not let it go to rest for a while
    Keep {
        workspace: String,
        /// How long; 0 lets it rest again
        #[arg(long, value_name = "MINUTES", default_value_t = 120)]
        minutes: u64,
    },
    /// Move a workspace to the recycle bin
    Delete { workspace: String },
    /// Take a workspace out of the recycle bin (it stays asleep)
    Restore { workspace: String },
    /// Remove a workspace in the recycle bin for good
    Purge { workspace: String },
    /// Copy a workspace, its home included
    Clone {
        workspace: String,
        name: String,
        /// From this snapshot instead of the home as it is
        #[arg(long, value_name = "SNAPSHOT")]
        from: Option<String>,
    },
    /// Open it in a browser; the address signs one browser in, once, within a minute
    Open {
        workspace: String,
        /// Print the address instead
        #[arg(long)]
        print: bool,
        /// A port's page instead of the editor's
        #[arg(long)]
        port: Option<u16>,
    },
    /// Run a program in it: `exec WS -- make test`; ends with the program's exit code
    Exec(exec::Exec),
    /// A shell in it by SSH, or one command: `ssh WS -- make test`
    Ssh(ssh::Ssh),
    /// Copy files and folders: `cp WS:/home/user/a.txt .`, `cp src WS:/home/user`
    Cp {
        /// A path, or WORKSPACE:PATH
        from: String,
        to: String,
    },
    /// Why it does not run, and what its editor wrote last
    Logs {
        workspace: String,
        /// Go on with every change until Ctrl-C
        #[arg(short, long)]
        follow: bool,
    },
    /// Snapshots of its home
    Snapshots { workspace: String },
    /// Save its home as it is now
    Snapshot {
        workspace: String,
        #[arg(long)]
        label: Option<String>,
    },
    /// Put everything, or what is at a path, back into its home; what is there now is saved before
    RestoreSnapshot {
        workspace: String,
        snapshot: String,
        /// Only what is at this path
        #[arg(long)]
        path: Option<String>,
    },
    /// Its ports, who may reach them, and share links
    Ports(ports::Ports),
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { recycled } => manage::list(context, recycled).await,
            Self::Create(create) => create.run(context).await,
            Self::Show { workspace } => {
                show(context, &context.api.workspace(&workspace).await?);
                Ok(())
            }
            Self::Start { workspace, wait } => manage::start(context, &workspace, wait).await,
            Self::Stop { workspace } => manage::act(context, &workspace, "/stop").await,
            Self::Restart { workspace } => manage::act(context, &workspace, "/restart").await,
            Self::Rename { workspace, name } => manage::rename(context, &workspace, name).await,
            Self::Set { workspace, changes } => manage::set(context, &workspace, &changes).await,
            Self::Keep { workspace, minutes } => manage::keep(context, &workspace, minutes).await,
            Self::Delete { workspace } => manage::remove(context, &workspace, "", "is in the recycle bin").await,
            Self::Restore { workspace } => manage::act(context, &workspace, "/restore").await,
            Self::Purge { workspace } => manage::remove(context, &workspace, "/purge", "is gone for good").await,
            Self::Clone { workspace, name, from } => manage::clone(context, &workspace, (name, from)).await,
            Self::Open { workspace, print, port } => manage::open(context, &workspace, (print, port)).await,
            Self::Exec(exec) => exec.run(context).await,
            Self::Ssh(ssh) => ssh.run(context).await,
            Self::Cp { from, to } => copy::copy(context, &from, &to).await,
            Self::Logs { workspace, follow } => wait::logs(context, &workspace, follow).await,
            Self::Snapshots { workspace } => snapshots::list(context, &workspace).await,
            Self::Snapshot { workspace, label } => snapshots::make(context, &workspace, label).await,
            Self::RestoreSnapshot { workspace, snapshot, path } => {
                snapshots::restore(context, &workspace, (&snapshot, path)).await
            }
            Self::Ports(ports) => ports.run(context).await,
        }
    }
}

/// A path on this machine, or one in a workspace.
pub enum Place {
    Here(PathBuf),
    There(String, String),
}

impl Place {
    /// `WORKSPACE:/path` is there; everything else, and whatever has a slash before the colon, is here.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((workspace, path)) if !workspace.is_empty() && !workspace.contains('/') => {
                let path = if path.starts_with('/') { path.to_owned() } else { format!("/home/user/{path}") };
                Self::There(workspace.to_owned(), path)
            }
            Some(_) | None => Self::Here(PathBuf::from(text)),
        }
    }
}

/// One workspace for a person.
fn show(context: &Context, workspace: &Workspace) {
    context.out.value(workspace, text);
}

fn text(workspace: &Workspace) -> String {
    let mut lines = vec![
        format!("{}  {}  {}", workspace.id, workspace.name, state(workspace)),
        workspace.addresses.editor.clone(),
        format!("{}, {}", workspace.environment, word(&workspace.depth)),
    ];
    if let Some(trouble) = &workspace.observed.trouble {
        lines.push(format!("{} ({})", trouble.message, trouble.code));
    }
    if let Some(next) = &workspace.next {
        lines.push(format!("{} at {} UTC: {}", next.state, time(next.at), next.reason.key.replace('_', " ")));
    }
    if let Some(usage) = &workspace.usage {
        let (used, limit) = (bytes(usage.disk_bytes), bytes(usage.disk_limit_bytes));
        lines.push(format!("memory {}, disk {used} of {limit}, {} processes", bytes(usage.memory_bytes), usage.pids));
    }
    let can = workspace.actions.iter().filter(|offer| offer.allowed).map(|offer| offer.action.as_str());
    lines.push(format!("what can be done: {}", can.collect::<Vec<_>>().join(", ")));
    lines.join("\n")
}

/// What it does, and where it waits.
fn state(workspace: &Workspace) -> String {
    match workspace.observed.queue {
        Some(queue) => format!("queued ({} in the queue)", queue.place),
        None if word(&workspace.desired) == "recycled" => "recycled".to_owned(),
        None => workspace.observed.state.clone(),
    }
}

/// An enum's word on the wire.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A value of another shape than we know.
fn strange(what: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("The server's answer is of another shape than expected ({what})."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_here_or_in_a_workspace() {
        let there = |text| match Place::parse(text) {
            Place::There(workspace, path) => Some(format!("{workspace} {path}")),
            Place::Here(_) => None,
        };
        assert_eq!(there("thesis:/home/user/a"), Some("thesis /home/user/a".into()));
        assert_eq!(there("thesis:a.txt"), Some("thesis /home/user/a.txt".into()));
        for here in ["a.txt", "./a:b", "/a:b", ":a"] {
            assert_eq!(there(here), None, "{here}");
        }
    }
}
