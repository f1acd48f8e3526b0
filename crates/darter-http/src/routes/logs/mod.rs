//! `/apps/{app}/logs`: search and live tail.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use darter_api::log::{LogLine, LogQuery};
use darter_api::page::Page;
use darter_core::AppId;
use darter_platform::{Platform, credential_ends, logs};
use futures_util::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Caller, Path, Query, Server};
use crate::problem::Problem;

/// Routes of logs.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(tail))
}

/// Lines that fit, the newest first.
#[utoipa::path(get, path = "/apps/{app}/logs", tag = "logs", operation_id = "log.search",
    params(("app" = String, Path), LogQuery), responses((status = 200, description = "A page of lines", body = Page<LogLine>)))]
pub async fn search(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Page<LogLine>>, Problem> {
    Ok(Json(logs::search(&platform, &actor, &app, &query).await?))
}

/// Lines as they come, the oldest first; with `cursor` (or `Last-Event-ID`), from the line after it on.
#[utoipa::path(get, path = "/apps/{app}/logs/stream", tag = "logs", operation_id = "log.tail",
    params(("app" = String, Path), LogQuery), responses((status = 200, description = "Server-sent events `log`", content_type = "text/event-stream")))]
pub async fn tail(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Query(mut query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    query.cursor = last.or(query.cursor);
    let tail = logs::tail(&platform, &actor, &app, &query).await?;
    let lines = stream::unfold(tail, |mut tail| async move {
        let lines = tail.next().await.ok().filter(|lines| !lines.is_empty())?;
        Some((stream::iter(lines), tail))
    });
    let over = async move { credential_ends(&platform, &actor).await };
    let events = lines
        .flatten()
        .take_until(Box::pin(over))
        .map(|line| Ok(Event::default().event("log").id(&line.cursor).json_data(&line).unwrap_or_default()));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
