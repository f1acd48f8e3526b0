//! `darter env list|install|verify|remove`: the environments of workspaces. An install runs on the server; here one
//! watches it.

use darter_api::environment::{Environment, EnvironmentState, EnvironmentVerified};
use reqwest::Method;
use serde_json::Value;

use super::Context;
use super::output::bytes;
use crate::client::{Event, Exit, Failure, segment};

fn path(name: &str) -> String {
    format!("/environments/{}", segment(name))
}

pub async fn list(context: &Context) -> Result<(), Failure> {
    let all: Vec<Environment> = context.api.list("/environments").await?;
    context.out.list(&all, &["name", "title", "state", "size", "image"], |one| {
        let size = one.bytes.map(bytes).unwrap_or_default();
        vec![one.name.clone(), one.title.clone(), state(one), size, one.image.clone().unwrap_or_default()]
    });
    Ok(())
}

fn state(one: &Environment) -> String {
    let stands = match (one.state, &one.progress) {
        (EnvironmentState::Available, _) => "available".into(),
        (EnvironmentState::Installed, _) if one.outdated => "installed, an older version".into(),
        (EnvironmentState::Installed, _) => "installed".into(),
        (EnvironmentState::Installing, Some(at)) => format!("installing {}/{} {}", at.number, at.of, at.phase),
        (EnvironmentState::Installing, None) => "installing".into(),
        (EnvironmentState::Broken, _) => "broken".into(),
    };
    match &one.trouble {
        Some(why) if one.state == EnvironmentState::Broken => format!("{stands}: {}", first_line(&why.message)),
        // It works, and an operator's recipe in its place would not.
        Some(why) => format!("{stands}; not used: {}", first_line(&why.message)),
        None => stands,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Begins it, and shows its words until it ends.
pub async fn install(context: &Context, name: &str) -> Result<(), Failure> {
    let begun: Environment = context.api.post(&format!("{}/install", path(name)), &serde_json::json!({})).await?;
    if begun.state == EnvironmentState::Installing {
        watch(context, name).await?;
    }
    let now: Environment = context.api.get(&path(name)).await?;
    if let Some(why) = now.trouble {
        let mut failure = Failure::new(Exit::Failed, why.message);
        failure.detail.code = why.code;
        return Err(failure);
    }
    context.out.value(&now, |now| format!("{} is installed ({}).", now.name, bytes(now.bytes.unwrap_or(0))));
    Ok(())
}

async fn watch(context: &Context, name: &str) -> Result<(), Failure> {
    let request = context.api.request(Method::GET, &format!("{}/events", path(name)))?;
    let mut events = context.api.events(request).await?;
    let mut shown = String::new();
    while let Some(Event { name, data }) = events.next().await? {
        if name == "output" {
            let data: Value = serde_json::from_str(&data).unwrap_or(Value::Null);
            context.out.progress(&format!("  {}", data.get("line").and_then(Value::as_str).unwrap_or_default()));
        }
        let now = serde_json::from_str::<Environment>(&data).ok().and_then(|one| one.progress);
        if let Some(at) = now {
            let text = format!("▸ {}/{} {} {}", at.number, at.of, at.phase, at.what);
            if text != shown {
                context.out.progress(&text);
                shown = text;
            }
        }
    }
    Ok(())
}

pub async fn verify(context: &Context, name: &str) -> Result<(), Failure> {
    let verified: EnvironmentVerified =
        context.api.post(&format!("{}/verify", path(name)), &serde_json::json!({})).await?;
    if verified.different.is_empty() {
        context.out.done(&format!("{name} is as it was installed."));
        return Ok(());
    }
    let list = verified.different.join("\n  ");
    let message =
        format!("{name} has changed since it was installed:\n  {list}\n`darter env install {name}` repairs it.");
    Err(Failure::new(Exit::Failed, message))
}

pub async fn remove(context: &Context, name: &str) -> Result<(), Failure> {
    context.api.delete(&path(name)).await?;
    context.out.done(&format!("{name} is removed from the server. It can be installed again."));
    Ok(())
}
