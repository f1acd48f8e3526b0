//! The life of an app: start, stop, restart, delete, restore, purge.

use axum::Json;
use darter_api::app::App;
use darter_core::AppId;
use darter_core::app::AppEvent;
use darter_platform::app::change;
use http::StatusCode;

use crate::extract::{Caller, Path, Server};
use crate::problem::Problem;

/// Serves requests again.
#[utoipa::path(post, path = "/apps/{app}/start", tag = "apps", operation_id = "app.start", params(("app" = String, Path)),
    responses((status = 200, description = "The app", body = App)))]
pub async fn start(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<App>, Problem> {
    Ok(Json(change(&platform, &actor, &app, AppEvent::Start).await?))
}

/// Serves no more requests; those in flight have up to 10 s to finish, and the answer comes when nothing runs any more.
#[utoipa::path(post, path = "/apps/{app}/stop", tag = "apps", operation_id = "app.stop", params(("app" = String, Path)),
    responses((status = 200, description = "The app", body = App)))]
pub async fn stop(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<App>, Problem> {
    Ok(Json(change(&platform, &actor, &app, AppEvent::Stop).await?))
}

/// New instances in the place of the old ones.
#[utoipa::path(post, path = "/apps/{app}/restart", tag = "apps", operation_id = "app.restart", params(("app" = String, Path)),
    responses((status = 200, description = "The app", body = App)))]
pub async fn restart(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<App>, Problem> {
    Ok(Json(darter_platform::app::restart(&platform, &actor, &app).await?))
}

/// Into the recycle bin, where it stays for 30 days.
#[utoipa::path(delete, path = "/apps/{app}", tag = "apps", operation_id = "app.delete", params(("app" = String, Path)),
    responses((status = 200, description = "The app", body = App)))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<App>, Problem> {
    Ok(Json(change(&platform, &actor, &app, AppEvent::Delete).await?))
}

/// Out of the recycle bin, stopped.
#[utoipa::path(post, path = "/apps/{app}/restore", tag = "apps", operation_id = "app.restore", params(("app" = String, Path)),
    responses((status = 200, description = "The app", body = App)))]
pub async fn restore(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<App>, Problem> {
    Ok(Json(change(&platform, &actor, &app, AppEvent::Restore).await?))
}

/// Removes an app in the recycle bin for good.
#[utoipa::path(delete, path = "/apps/{app}/purge", tag = "apps", operation_id = "app.purge", params(("app" = String, Path)),
    responses((status = 204, description = "It is gone")))]
pub async fn purge(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<StatusCode, Problem> {
    darter_platform::app::purge(&platform, &actor, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}
