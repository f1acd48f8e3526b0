//! `/apps/{app}/dependencies`: the wanted list, and the install that follows it.

use std::convert::Infallible;

use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use darter_api::resource::{Dependencies, PackageSearch, SetDependencies};
use darter_core::AppId;
use darter_platform::credential_ends;
use darter_platform::resource::{self, install_event};
use futures_util::stream::{self, Stream, StreamExt};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// What the app wants and has.
#[utoipa::path(get, path = "/apps/{app}/dependencies", tag = "dependencies", operation_id = "dependency.get",
    params(("app" = String, Path)), responses((status = 200, description = "Wanted and installed", body = Dependencies)))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<Dependencies>, Problem> {
    Ok(Json(resource::dependencies(&platform, &actor, &app).await?))
}

/// Replaces the wanted list and starts an install.
#[utoipa::path(put, path = "/apps/{app}/dependencies", tag = "dependencies", operation_id = "dependency.set", request_body = SetDependencies,
    params(("app" = String, Path)), responses((status = 202, description = "The install runs", body = Dependencies)))]
pub async fn set(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Body(input): Body<SetDependencies>,
) -> Result<(StatusCode, Json<Dependencies>), Problem> {
    let dependencies = resource::set_dependencies(&platform, &actor, &app, input).await?;
    Ok((StatusCode::ACCEPTED, Json(dependencies)))
}

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// A part of a name or a description; a whole name where the registry has no search.
    text: String,
}

/// Packages of the operator's registry.
#[utoipa::path(get, path = "/apps/{app}/dependencies/search", tag = "dependencies", operation_id = "dependency.search",
    params(("app" = String, Path), Search), responses((status = 200, description = "The best first", body = PackageSearch)))]
pub async fn search(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Query(search): Query<Search>,
) -> Result<Json<PackageSearch>, Problem> {
    Ok(Json(resource::search_packages(&platform, &actor, &app, &search.text).await?))
}

/// Ends the install that runs.
#[utoipa::path(delete, path = "/apps/{app}/dependencies/install", tag = "dependencies", operation_id = "dependency.cancel",
    params(("app" = String, Path)), responses((status = 204, description = "It ends")))]
pub async fn cancel(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<StatusCode, Problem> {
    resource::cancel_install(&platform, &actor, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The install as it goes, from its start: events `output`, `phase`, then `installed` or `failed`. Without a running
/// install, how the newest one ended.
#[utoipa::path(get, path = "/apps/{app}/dependencies/install/events", tag = "dependencies", operation_id = "dependency.events",
    params(("app" = String, Path)), responses((status = 200, description = "Server-sent events", content_type = "text/event-stream")))]
pub async fn events(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let install = resource::watch_install(&platform, &actor, &app).await?;
    let events = stream::unfold((Some(install), 0), |(install, seen)| async move {
        let (events, open) = install.as_ref()?.next(seen).await;
        let next = (install.filter(|_| open), seen + events.len());
        Some((stream::iter(events), next))
    });
    let over = async move { credential_ends(&platform, &actor).await };
    let events = events
        .flatten()
        .take_until(Box::pin(over))
        .map(|event| Ok(Event::default().event(install_event(&event)).json_data(&event).unwrap_or_default()));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
