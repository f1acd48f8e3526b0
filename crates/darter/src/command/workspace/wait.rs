//! Watching a workspace: until its page answers, or for as long as somebody wants.

use darter_api::workspace::{Start, Workspace};
use reqwest::Method;

use super::super::Context;
use super::super::output::{line, micros, time};
use super::{show, state, strange};
use crate::client::{Event, Exit, Failure};

fn read(event: &Event) -> Result<Workspace, Failure> {
    serde_json::from_str(&event.data).map_err(|error| strange(&error))
}

/// Follows a start to its end, and prints where the time went.
pub async fn until_it_answers(context: &Context, workspace: Workspace) -> Result<(), Failure> {
    let request = context.api.request(Method::GET, &format!("/workspaces/{}/events", workspace.id))?;
    let mut events = context.api.events(request).await?;
    let mut told = String::new();
    while let Some(event) = events.next().await? {
        if event.name != "workspace" {
            continue;
        }
        let now = read(&event)?;
        match now.observed.state.as_str() {
            "running" | "frozen" | "reclaimed" => {
                if let Some(start) = &now.observed.start {
                    context.out.progress(&phases(start));
                }
                show(context, &now);
                return Ok(());
            }
            "stopped" | "failed" if now.observed.trouble.is_some() => return Err(refused(&now)),
            _ => {}
        }
        let word = state(&now);
        if word != told {
            context.out.progress(&word);
            told = word;
        }
    }
    Err(Failure::new(Exit::Unreachable, "The server ended the stream. `darter ws show` says how far it is."))
}

fn refused(workspace: &Workspace) -> Failure {
    let mut failure = Failure::new(Exit::Failed, "The workspace did not start.");
    if let Some(trouble) = &workspace.observed.trouble {
        failure.detail.code.clone_from(&trouble.code);
        failure.detail.message.clone_from(&trouble.message);
    }
    failure
}

fn phases(start: &Start) -> String {
    let parts = start.phases.iter().map(|phase| format!("{} {}", phase.name, micros(phase.us)));
    format!("from {}: {} = {}", start.from, parts.collect::<Vec<_>>().join(" + "), micros(start.total_us))
}

/// What is known of its life: its state, its last start, its trouble and what its editor wrote.
pub async fn logs(context: &Context, workspace: &str, follow: bool) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    print(context, &found);
    if !follow {
        return Ok(());
    }
    let request = context.api.request(Method::GET, &format!("/workspaces/{}/events", found.id))?;
    let mut events = context.api.events(request).await?;
    let mut last = found.observed;
    while let Some(event) = events.next().await? {
        if event.name == "workspace" {
            let now = read(&event)?;
            if now.observed != last {
                print(context, &now);
                last = now.observed;
            }
        }
    }
    Err(Failure::new(Exit::Unreachable, "The server ended the stream. Start the command again to go on."))
}

fn print(context: &Context, workspace: &Workspace) {
    let observed = &workspace.observed;
    if context.out.json {
        context.out.json(observed);
        return;
    }
    line(&format!("{} {}", time(observed.since), state(workspace)));
    if let Some(start) = &observed.start {
        line(&format!("  started {}", phases(start)));
    }
    if let Some(trouble) = &observed.trouble {
        line(&format!("  {} {} ({})", time(trouble.at), trouble.message, trouble.code));
        trouble.last_lines.iter().for_each(|text| line(&format!("  | {text}")));
    }
}
