//! Snapshots of a workspace on the command line.

use darter_api::workspace::{CreateSnapshot, RestoreSnapshot, Snapshot};

use super::super::Context;
use super::super::output::{bytes, time};
use super::word;
use crate::client::Failure;

pub async fn list(context: &Context, workspace: &str) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let all: Vec<Snapshot> = context.api.list(&format!("/workspaces/{}/snapshots", found.id)).await?;
    context.out.list(&all, &["id", "made", "why", "files", "size", "label"], |one| {
        let (files, size) = (one.files.to_string(), bytes(one.bytes));
        vec![one.id.clone(), time(one.created_at), word(&one.reason), files, size, one.label.clone()]
    });
    Ok(())
}

pub async fn make(context: &Context, workspace: &str, label: Option<String>) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let input = CreateSnapshot { label };
    let made: Snapshot = context.api.post(&format!("/workspaces/{}/snapshots", found.id), &input).await?;
    context.out.value(&made, |made| {
        let (size, took) = (bytes(made.bytes), bytes(made.stored_bytes));
        format!("{}: {} files, {size}, of which {took} were not kept before.", made.id, made.files)
    });
    Ok(())
}

pub async fn restore(
    context: &Context,
    workspace: &str,
    (snapshot, path): (&str, Option<String>),
) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let input = RestoreSnapshot { path };
    let path = format!("/workspaces/{}/snapshots/{snapshot}/restore", found.id);
    let _: serde_json::Value = context.api.post(&path, &input).await?;
    context.out.done(&format!("{} ({}) has the files of {snapshot} again.", found.name, found.id));
    Ok(())
}
