//! New workspaces: `POST /workspaces`, and copies of one.

use axum::Json;
use darter_api::workspace::{CloneWorkspace, CreateWorkspace, Workspace};
use darter_core::WorkspaceId;
use http::StatusCode;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// Makes a workspace of whoever asks, and starts it unless told not to.
#[utoipa::path(post, path = "/workspaces", tag = "workspaces", operation_id = "workspace.create", request_body = CreateWorkspace,
    responses((status = 201, description = "The new workspace", body = Workspace)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<CreateWorkspace>,
) -> Result<(StatusCode, Json<Workspace>), Problem> {
    let workspace = darter_platform::workspace::create(&platform, &actor, input).await?;
    Ok((StatusCode::CREATED, Json(workspace)))
}

/// A new workspace of whoever asks with a copy of this one's home.
#[utoipa::path(post, path = "/workspaces/{workspace}/clone", tag = "workspaces", operation_id = "workspace.clone",
    request_body = CloneWorkspace, params(("workspace" = String, Path)),
    responses((status = 201, description = "The new workspace, asleep", body = Workspace)))]
pub async fn clone(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Body(input): Body<CloneWorkspace>,
) -> Result<(StatusCode, Json<Workspace>), Problem> {
    let workspace = darter_platform::workspace::clone(&platform, &actor, &id, input).await?;
    Ok((StatusCode::CREATED, Json(workspace)))
}
