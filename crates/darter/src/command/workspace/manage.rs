//! Making, listing, changing and removing workspaces.

use clap::Args;
use darter_api::workspace::{
    CloneWorkspace, CreateWorkspace, KeepWorkspace, OneTimeAddress, OpenWorkspace, UpdateWorkspace, Workspace,
};
use darter_core::workspace::{Depth, Kept};
use reqwest::Method;

use super::super::Context;
use super::{show, state, strange, wait};
use crate::client::{Exit, Failure, NOTHING};

/// Make a workspace and start it
#[derive(Debug, Args)]
pub struct Create {
    name: String,
    /// What it starts from, e.g. vscode or jupyter
    #[arg(short, long)]
    environment: String,
    /// full: the editor's own server; light: the same page over a few megabytes
    #[arg(long, value_parser = ["light", "full"])]
    depth: Option<String>,
    /// Removed some time after its last use
    #[arg(long)]
    temporary: bool,
    /// Return when its page answers, and print where the time went
    #[arg(long)]
    wait: bool,
    /// Do not start it
    #[arg(long, conflicts_with = "wait")]
    asleep: bool,
}

impl Create {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let input = CreateWorkspace {
            name: self.name,
            environment: self.environment,
            kind: self.temporary.then_some(Kept::Temporary),
            depth: self.depth.as_deref().map(depth),
            limits: None,
            rest: None,
            start: Some(!self.asleep),
        };
        let made: Workspace = context.api.post("/workspaces", &input).await?;
        if self.wait {
            return wait::until_it_answers(context, made).await;
        }
        show(context, &made);
        Ok(())
    }
}

fn depth(word: &str) -> Depth {
    if word == "light" { Depth::Light } else { Depth::Full }
}

pub async fn list(context: &Context, recycled: bool) -> Result<(), Failure> {
    let path = if recycled { "/workspaces?desired=recycled" } else { "/workspaces" };
    let all: Vec<Workspace> = context.api.list(path).await?;
    context.out.list(&all, &["id", "name", "state", "environment", "address"], |one| {
        let address = one.addresses.editor.clone();
        vec![one.id.clone(), one.name.clone(), state(one), one.environment.clone(), address]
    });
    Ok(())
}

pub async fn start(context: &Context, workspace: &str, waits: bool) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let started: Workspace =
        context.api.call(Method::POST, &format!("/workspaces/{}/start", found.id), NOTHING).await?;
    if waits {
        return wait::until_it_answers(context, started).await;
    }
    done(context, &started);
    Ok(())
}

fn done(context: &Context, workspace: &Workspace) {
    context.out.value(workspace, |one| format!("{} ({}) is {}.", one.name, one.id, state(one)));
}

pub async fn act(context: &Context, workspace: &str, action: &str) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let after: Workspace =
        context.api.call(Method::POST, &format!("/workspaces/{}{action}", found.id), NOTHING).await?;
    done(context, &after);
    Ok(())
}

pub async fn remove(context: &Context, workspace: &str, path: &str, now: &str) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    context.api.delete(&format!("/workspaces/{}{path}", found.id)).await?;
    context.out.done(&format!("{} ({}) {now}.", found.name, found.id));
    Ok(())
}

async fn update(context: &Context, found: &Workspace, change: &UpdateWorkspace) -> Result<Workspace, Failure> {
    let request = context.api.request(Method::PATCH, &format!("/workspaces/{}", found.id))?;
    context.api.value(request.header("if-match", format!("\"{}\"", found.revision)).json(change)).await
}

pub async fn rename(context: &Context, workspace: &str, name: String) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let change = UpdateWorkspace { name: Some(name), ..UpdateWorkspace::default() };
    show(context, &update(context, &found, &change).await?);
    Ok(())
}

/// `NAME=VALUE` of limits and rest times, and `depth=`, `environment=`.
pub async fn set(context: &Context, workspace: &str, changes: &[String]) -> Result<(), Failure> {
    let mut found = context.api.workspace(workspace).await?;
    if !changes.is_empty() {
        let change = wanted(&found, changes)?;
        found = update(context, &found, &change).await?;
    }
    let (limits, rest) = values(&found)?;
    context.out.value(&serde_json::json!({ "limits": limits, "rest": rest }), |_| {
        let lines = [&limits, &rest].into_iter().filter_map(|value| value.as_object()).flatten();
        lines.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn values(found: &Workspace) -> Result<(serde_json::Value, serde_json::Value), Failure> {
    let value = |value: Result<serde_json::Value, serde_json::Error>| value.map_err(|error| strange(&error));
    Ok((value(serde_json::to_value(&found.limits))?, value(serde_json::to_value(&found.rest))?))
}

fn wanted(found: &Workspace, changes: &[String]) -> Result<UpdateWorkspace, Failure> {
    let (mut limits, mut rest) = values(found)?;
    let mut change = UpdateWorkspace::default();
    for text in changes {
        let wrong =
            || Failure::usage(format!("{text}: write NAME=VALUE, e.g. memory_bytes=4294967296 or depth=light."));
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        match (name, value) {
            ("depth", "light" | "full") => change.depth = Some(depth(value)),
            ("environment", _) => change.environment = Some(value.to_owned()),
            _ => {
                let number: u64 = value.parse().map_err(|_| wrong())?;
                let home = [&mut limits, &mut rest].into_iter().find(|values| values.get(name).is_some());
                let unknown = || Failure::usage(format!("There is no {name}. `darter ws set {}` shows all.", found.id));
                home.ok_or_else(unknown)?[name] = number.into();
            }
        }
    }
    change.limits = Some(serde_json::from_value(limits).map_err(|error| Failure::usage(error.to_string()))?);
    change.rest = Some(serde_json::from_value(rest).map_err(|error| Failure::usage(error.to_string()))?);
    Ok(change)
}

pub async fn keep(context: &Context, workspace: &str, minutes: u64) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let input = KeepWorkspace { for_ms: Some(minutes.saturating_mul(60_000)) };
    let kept: Workspace = context.api.post(&format!("/workspaces/{}/keep", found.id), &input).await?;
    show(context, &kept);
    Ok(())
}

pub async fn clone(
    context: &Context,
    workspace: &str,
    (name, snapshot): (String, Option<String>),
) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let input = CloneWorkspace { name, snapshot };
    let made: Workspace = context.api.post(&format!("/workspaces/{}/clone", found.id), &input).await?;
    show(context, &made);
    Ok(())
}

pub async fn open(context: &Context, workspace: &str, (print, port): (bool, Option<u16>)) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let input = OpenWorkspace { port, path: None };
    let address: OneTimeAddress = context.api.post(&format!("/workspaces/{}/open", found.id), &input).await?;
    if print || context.out.json {
        context.out.value(&address, |address| address.url.clone());
        return Ok(());
    }
    let opened = std::process::Command::new("xdg-open").arg(&address.url).status();
    match opened {
        Ok(status) if status.success() => {
            context.out.done(&format!("{} ({}) opens in the browser.", found.name, found.id));
            Ok(())
        }
        Ok(_) | Err(_) => {
            let what = "No browser could be opened here. `darter ws open --print` prints an address to open elsewhere.";
            Err(Failure::new(Exit::Failed, what))
        }
    }
}
