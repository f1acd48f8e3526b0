//! Looking at workspaces: `GET /workspaces`, `GET /workspaces/{workspace}`, and its changes as they come.

use std::convert::Infallible;

use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use darter_api::page::Page;
use darter_api::workspace::{Workspace, WorkspaceQuery};
use darter_core::WorkspaceId;
use darter_platform::{credential_ends, workspace};
use futures_util::stream::{self, Stream, StreamExt};

use crate::extract::{Caller, Path, Query, Server, tagged};
use crate::problem::Problem;

/// The caller's workspaces, the newest first.
#[utoipa::path(get, path = "/workspaces", tag = "workspaces", operation_id = "workspace.list", params(WorkspaceQuery),
    responses((status = 200, description = "A page of workspaces", body = Page<Workspace>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Query(query): Query<WorkspaceQuery>,
) -> Result<Json<Page<Workspace>>, Problem> {
    Ok(Json(workspace::list(&platform, &actor, &query).await?))
}

/// One workspace: what is, what can be done, and what happens next.
#[utoipa::path(get, path = "/workspaces/{workspace}", tag = "workspaces", operation_id = "workspace.get",
    params(("workspace" = String, Path)),
    responses((status = 200, description = "The workspace; `ETag` is its revision", body = Workspace)))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Response, Problem> {
    let found = workspace::get(&platform, &actor, &id).await?;
    Ok(tagged(found.revision, Json(found)).into_response())
}

/// The workspace now, and again after every change of it: states, phases of a start, what it uses.
#[utoipa::path(get, path = "/workspaces/{workspace}/events", tag = "workspaces", operation_id = "workspace.events",
    params(("workspace" = String, Path)),
    responses((status = 200, description = "Server-sent events `workspace`, each a whole workspace", content_type = "text/event-stream")))]
pub async fn events(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let events = workspace::watch(&platform, &actor, &id).await?;
    let events = stream::unfold(events, |mut events| async move {
        let now = events.next().await?;
        let event = Event::default().event("workspace").json_data(&now).unwrap_or_default();
        Some((Ok(event), events))
    });
    let over = async move { credential_ends(&platform, &actor).await };
    let events = events.take_until(Box::pin(over));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
