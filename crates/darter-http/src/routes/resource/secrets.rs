//! `/apps/{app}/secrets`

use axum::Json;
use darter_api::page::Page;
use darter_api::resource::{Secret, SetValue};
use darter_core::AppId;
use darter_platform::resource;
use http::StatusCode;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// All of an app.
#[utoipa::path(get, path = "/apps/{app}/secrets", tag = "secrets", operation_id = "secret.list",
    params(("app" = String, Path)), responses((status = 200, description = "All of the app", body = Page<Secret>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<Page<Secret>>, Problem> {
    Ok(Json(resource::secrets(&platform, &actor, &app).await?))
}

/// Sets one; running instances have it when this answers.
#[utoipa::path(put, path = "/apps/{app}/secrets/{name}", tag = "secrets", operation_id = "secret.set", request_body = SetValue,
    params(("app" = String, Path), ("name" = String, Path)), responses((status = 200, description = "What was set", body = Secret)))]
pub async fn set(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    Body(input): Body<SetValue>,
) -> Result<Json<Secret>, Problem> {
    Ok(Json(resource::set_secret(&platform, &actor, (&app, &name), input).await?))
}

/// Removes one.
#[utoipa::path(delete, path = "/apps/{app}/secrets/{name}", tag = "secrets", operation_id = "secret.delete",
    params(("app" = String, Path), ("name" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
) -> Result<StatusCode, Problem> {
    resource::remove_secret(&platform, &actor, &app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
