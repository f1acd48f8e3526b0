//! `/environments`: what workspaces start from.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use darter_api::environment::{Environment, EnvironmentVerified};
use darter_api::page::Page;
use darter_platform::{Platform, environment};
use futures_util::stream::{self, Stream, StreamExt};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Caller, Path, Server};
use crate::problem::Problem;

/// Routes of environments.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, remove))
        .routes(routes!(install))
        .routes(routes!(events))
        .routes(routes!(verify))
}

/// All environments of the server, by name.
#[utoipa::path(get, path = "/environments", tag = "environments", operation_id = "environment.list",
    responses((status = 200, description = "The environments", body = Page<Environment>)))]
pub async fn list(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<Environment>>, Problem> {
    Ok(Json(environment::list(&platform, &actor)?))
}

/// One environment.
#[utoipa::path(get, path = "/environments/{environment}", tag = "environments", operation_id = "environment.get",
    params(("environment" = String, Path)), responses((status = 200, description = "The environment", body = Environment)))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Environment>, Problem> {
    Ok(Json(environment::get(&platform, &actor, &name)?))
}

/// Begins to install it unless it is there or under way.
#[utoipa::path(post, path = "/environments/{environment}/install", tag = "environments", operation_id = "environment.install",
    params(("environment" = String, Path)), responses((status = 202, description = "How it stands", body = Environment)))]
pub async fn install(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Environment>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(environment::install(&platform, &actor, &name).await?)))
}

/// The environment now, and again after every change of its install until that ends: events `environment`, and `output`
/// for a line that a program wrote.
#[utoipa::path(get, path = "/environments/{environment}/events", tag = "environments", operation_id = "environment.events",
    params(("environment" = String, Path)), responses((status = 200, description = "Server-sent events", content_type = "text/event-stream")))]
pub async fn events(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let watched = environment::watch(&platform, &actor, &name)?;
    let events = stream::unfold(watched, |mut watched| async move { Some((watched.next().await?, watched)) });
    Ok(Sse::new(events.map(|told| Ok(event(&told)))).keep_alive(KeepAlive::default()))
}

fn event((environment, line): &(Environment, Option<String>)) -> Event {
    let event = match line {
        Some(line) => Event::default().event("output").json_data(serde_json::json!({ "line": line })),
        None => Event::default().event("environment").json_data(environment),
    };
    event.unwrap_or_default()
}

/// Compares every file with what the install left.
#[utoipa::path(post, path = "/environments/{environment}/verify", tag = "environments", operation_id = "environment.verify",
    params(("environment" = String, Path)), responses((status = 200, description = "What differs", body = EnvironmentVerified)))]
pub async fn verify(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<EnvironmentVerified>, Problem> {
    Ok(Json(environment::verify(&platform, &actor, &name).await?))
}

/// Deletes it from the server when no workspace runs on it.
#[utoipa::path(delete, path = "/environments/{environment}", tag = "environments", operation_id = "environment.remove",
    params(("environment" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn remove(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    environment::remove(&platform, &actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
