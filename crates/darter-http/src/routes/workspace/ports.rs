//! Ports of a workspace: `/workspaces/{workspace}/ports`, and links that open one.

use axum::Json;
use darter_api::page::Page;
use darter_api::workspace::{Port, PortShare, SetPort, SharePort};
use darter_core::{ShareId, WorkspaceId};
use darter_platform::workspace::port;
use http::StatusCode;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// Every port that a program listens on or that somebody decided about.
#[utoipa::path(get, path = "/workspaces/{workspace}/ports", tag = "ports", operation_id = "port.list",
    params(("workspace" = String, Path)), responses((status = 200, description = "All of them", body = Page<Port>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Page<Port>>, Problem> {
    Ok(Json(port::list(&platform, &actor, &id).await?))
}

/// Decides who may reach a port and what is spoken on it.
#[utoipa::path(put, path = "/workspaces/{workspace}/ports/{port}", tag = "ports", operation_id = "port.set", request_body = SetPort,
    params(("workspace" = String, Path), ("port" = u16, Path)),
    responses((status = 200, description = "The port", body = Port)))]
pub async fn set(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, number)): Path<(WorkspaceId, u16)>,
    Body(input): Body<SetPort>,
) -> Result<Json<Port>, Problem> {
    Ok(Json(port::set(&platform, &actor, (&id, number), input).await?))
}

/// Makes a port private and HTTP again.
#[utoipa::path(delete, path = "/workspaces/{workspace}/ports/{port}", tag = "ports", operation_id = "port.reset",
    params(("workspace" = String, Path), ("port" = u16, Path)), responses((status = 204, description = "It is private")))]
pub async fn reset(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, number)): Path<(WorkspaceId, u16)>,
) -> Result<StatusCode, Problem> {
    port::reset(&platform, &actor, (&id, number)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link that opens a port for whoever has it.
#[utoipa::path(post, path = "/workspaces/{workspace}/ports/{port}/shares", tag = "ports", operation_id = "port.share",
    request_body = SharePort, params(("workspace" = String, Path), ("port" = u16, Path)),
    responses((status = 201, description = "The link, shown only now", body = PortShare)))]
pub async fn share(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, number)): Path<(WorkspaceId, u16)>,
    Body(input): Body<SharePort>,
) -> Result<(StatusCode, Json<PortShare>), Problem> {
    Ok((StatusCode::CREATED, Json(port::share(&platform, &actor, (&id, number), input).await?)))
}

/// Links that have not ended, without their secrets.
#[utoipa::path(get, path = "/workspaces/{workspace}/shares", tag = "ports", operation_id = "port.shares",
    params(("workspace" = String, Path)), responses((status = 200, description = "All of them", body = Page<PortShare>)))]
pub async fn shares(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<Page<PortShare>>, Problem> {
    Ok(Json(port::shares(&platform, &actor, &id).await?))
}

/// Takes a link away; whoever came in by it is out within a minute.
#[utoipa::path(delete, path = "/workspaces/{workspace}/shares/{share}", tag = "ports", operation_id = "port.unshare",
    params(("workspace" = String, Path), ("share" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn unshare(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, share)): Path<(WorkspaceId, ShareId)>,
) -> Result<StatusCode, Problem> {
    port::unshare(&platform, &actor, (&id, &share)).await?;
    Ok(StatusCode::NO_CONTENT)
}
