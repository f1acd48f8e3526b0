//! Snapshots of a workspace: `/workspaces/{workspace}/snapshots`.

use axum::Json;
use axum::response::Response;
use darter_api::page::{Page, PageQuery};
use darter_api::workspace::{CreateSnapshot, FolderList, RestoreSnapshot, Snapshot};
use darter_core::{SnapshotId, WorkspaceId};
use darter_platform::workspace::snapshot;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::files::download;
use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// Which file or folder.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PathQuery {
    /// Absolute, such as `/home/user/notes.txt`; the home unless told.
    #[serde(default)]
    path: String,
}

/// A workspace's snapshots, the newest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/snapshots", tag = "snapshots", operation_id = "snapshot.list",
    params(("workspace" = String, Path), PageQuery),
    responses((status = 200, description = "A page of snapshots", body = Page<Snapshot>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Snapshot>>, Problem> {
    Ok(Json(snapshot::list(&platform, &actor, &id, &page).await?))
}

/// Saves the home as it is now; answers when that is done.
#[utoipa::path(post, path = "/workspaces/{workspace}/snapshots", tag = "snapshots", operation_id = "snapshot.create",
    request_body = CreateSnapshot, params(("workspace" = String, Path)),
    responses((status = 201, description = "The snapshot", body = Snapshot)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Body(input): Body<CreateSnapshot>,
) -> Result<(StatusCode, Json<Snapshot>), Problem> {
    Ok((StatusCode::CREATED, Json(snapshot::make(&platform, &actor, &id, input).await?)))
}

/// One snapshot.
#[utoipa::path(get, path = "/workspaces/{workspace}/snapshots/{snapshot}", tag = "snapshots", operation_id = "snapshot.get",
    params(("workspace" = String, Path), ("snapshot" = String, Path)),
    responses((status = 200, description = "The snapshot", body = Snapshot)))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, snapshot)): Path<(WorkspaceId, SnapshotId)>,
) -> Result<Json<Snapshot>, Problem> {
    Ok(Json(snapshot::get(&platform, &actor, (&id, &snapshot)).await?))
}

/// What is in a folder of a snapshot.
#[utoipa::path(get, path = "/workspaces/{workspace}/snapshots/{snapshot}/folder", tag = "snapshots", operation_id = "snapshot.folder",
    params(("workspace" = String, Path), ("snapshot" = String, Path), PathQuery),
    responses((status = 200, description = "At most 10,000 entries", body = FolderList)))]
pub async fn folder(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, snapshot)): Path<(WorkspaceId, SnapshotId)>,
    Query(query): Query<PathQuery>,
) -> Result<Json<FolderList>, Problem> {
    Ok(Json(snapshot::folder(&platform, &actor, (&id, &snapshot), &query.path).await?))
}

/// One file of a snapshot.
#[utoipa::path(get, path = "/workspaces/{workspace}/snapshots/{snapshot}/files", tag = "snapshots", operation_id = "snapshot.read",
    params(("workspace" = String, Path), ("snapshot" = String, Path), PathQuery),
    responses((status = 200, description = "The bytes", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn read(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, snapshot)): Path<(WorkspaceId, SnapshotId)>,
    Query(query): Query<PathQuery>,
) -> Result<Response, Problem> {
    Ok(download(snapshot::read(&platform, &actor, (&id, &snapshot), &query.path).await?))
}

/// Puts everything, or what is at a path, back into the home. What is there now is saved before.
#[utoipa::path(post, path = "/workspaces/{workspace}/snapshots/{snapshot}/restore", tag = "snapshots", operation_id = "snapshot.restore",
    request_body = RestoreSnapshot, params(("workspace" = String, Path), ("snapshot" = String, Path)),
    responses((status = 204, description = "It is there")))]
pub async fn restore(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, snapshot)): Path<(WorkspaceId, SnapshotId)>,
    Body(input): Body<RestoreSnapshot>,
) -> Result<StatusCode, Problem> {
    snapshot::restore(&platform, &actor, (&id, &snapshot), input).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets go of a snapshot.
#[utoipa::path(delete, path = "/workspaces/{workspace}/snapshots/{snapshot}", tag = "snapshots", operation_id = "snapshot.delete",
    params(("workspace" = String, Path), ("snapshot" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn remove(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((id, snapshot)): Path<(WorkspaceId, SnapshotId)>,
) -> Result<StatusCode, Problem> {
    snapshot::remove(&platform, &actor, (&id, &snapshot)).await?;
    Ok(StatusCode::NO_CONTENT)
}
