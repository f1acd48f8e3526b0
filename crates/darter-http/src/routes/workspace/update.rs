//! `PATCH /workspaces/{workspace}`

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::workspace::{UpdateWorkspace, Workspace};
use darter_core::WorkspaceId;

use crate::extract::{Body, Caller, IfMatch, Path, Server, tagged};
use crate::problem::Problem;

/// Changes name, limits, rest times, depth, environment, kind. With `If-Match`, only if nobody else changed it since.
#[utoipa::path(patch, path = "/workspaces/{workspace}", tag = "workspaces", operation_id = "workspace.update", request_body = UpdateWorkspace,
    params(("workspace" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "The workspace; `ETag` is its revision", body = Workspace)))]
pub async fn update(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    IfMatch(expected): IfMatch,
    Body(input): Body<UpdateWorkspace>,
) -> Result<Response, Problem> {
    let changed = darter_platform::workspace::update(&platform, &actor, &id, (input, expected)).await?;
    Ok(tagged(changed.revision, Json(changed)).into_response())
}
