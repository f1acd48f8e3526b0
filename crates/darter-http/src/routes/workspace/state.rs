//! The life of a workspace: start, stop, restart, keep awake, delete, restore, purge.

use axum::Json;
use darter_api::workspace::{KeepWorkspace, Workspace};
use darter_core::WorkspaceId;
use darter_core::workspace::desired::Wish;
use darter_platform::workspace::{self, change};
use http::StatusCode;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// Starts it; answers as soon as the start goes on.
#[utoipa::path(post, path = "/workspaces/{workspace}/start", tag = "workspaces", operation_id = "workspace.start",
    params(("workspace" = String, Path)), responses((status = 200, description = "The workspace", body = Workspace)))]
pub async fn start(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Workspace>, Problem> {
    Ok(Json(change(&platform, &actor, &id, Wish::Start).await?))
}

/// Ends what runs; its files stay, and opening it starts it again.
#[utoipa::path(post, path = "/workspaces/{workspace}/stop", tag = "workspaces", operation_id = "workspace.stop",
    params(("workspace" = String, Path)), responses((status = 200, description = "The workspace", body = Workspace)))]
pub async fn stop(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Workspace>, Problem> {
    Ok(Json(change(&platform, &actor, &id, Wish::Stop).await?))
}

/// Ends what runs and starts it anew.
#[utoipa::path(post, path = "/workspaces/{workspace}/restart", tag = "workspaces", operation_id = "workspace.restart",
    params(("workspace" = String, Path)), responses((status = 200, description = "The workspace", body = Workspace)))]
pub async fn restart(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Workspace>, Problem> {
    Ok(Json(workspace::restart(&platform, &actor, &id).await?))
}

/// Does not let it go to rest for a while.
#[utoipa::path(post, path = "/workspaces/{workspace}/keep", tag = "workspaces", operation_id = "workspace.keep",
    request_body = KeepWorkspace, params(("workspace" = String, Path)),
    responses((status = 200, description = "The workspace", body = Workspace)))]
pub async fn keep(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Body(input): Body<KeepWorkspace>,
) -> Result<Json<Workspace>, Problem> {
    Ok(Json(workspace::keep(&platform, &actor, &id, input).await?))
}

/// Into the recycle bin, where it stays for 30 days unless the operator chose otherwise; a temporary one goes for good.
#[utoipa::path(delete, path = "/workspaces/{workspace}", tag = "workspaces", operation_id = "workspace.delete",
    params(("workspace" = String, Path)), responses((status = 200, description = "The workspace", body = Workspace)))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Workspace>, Problem> {
    Ok(Json(change(&platform, &actor, &id, Wish::Delete).await?))
}

/// Out of the recycle bin, asleep.
#[utoipa::path(post, path = "/workspaces/{workspace}/restore", tag = "workspaces", operation_id = "workspace.restore",
    params(("workspace" = String, Path)), responses((status = 200, description = "The workspace", body = Workspace)))]
pub async fn restore(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Workspace>, Problem> {
    Ok(Json(change(&platform, &actor, &id, Wish::Restore).await?))
}

/// Removes a workspace in the recycle bin for good.
#[utoipa::path(delete, path = "/workspaces/{workspace}/purge", tag = "workspaces", operation_id = "workspace.purge",
    params(("workspace" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn purge(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<StatusCode, Problem> {
    workspace::purge(&platform, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
