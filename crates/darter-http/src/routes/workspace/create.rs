//! `POST /workspaces`

use axum::Json;
use darter_api::workspace::{CreateWorkspace, Workspace};
use http::StatusCode;

use crate::extract::{Body, Caller, Server};
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
