//! Making, saving, renaming, removing a function.

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::function::{CreateFunction, Function, UpdateFunction};
use darter_core::AppId;
use darter_platform::function::{self, Save};
use http::StatusCode;

use crate::extract::{Body, Caller, IfMatch, Path, Server, needed, tagged};
use crate::problem::Problem;

/// Makes a function: a draft, not published.
#[utoipa::path(post, path = "/apps/{app}/functions", tag = "functions", operation_id = "function.create", request_body = CreateFunction,
    params(("app" = String, Path)), responses((status = 201, description = "The function; `ETag` is its revision", body = Function)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Body(input): Body<CreateFunction>,
) -> Result<Response, Problem> {
    let function = function::create(&platform, &actor, &app, input).await?;
    Ok((StatusCode::CREATED, tagged(function.revision, Json(function))).into_response())
}

/// Saves the draft, or changes name, description, methods. Needs `If-Match`: two people can not overwrite each other.
#[utoipa::path(patch, path = "/apps/{app}/functions/{name}", tag = "functions", operation_id = "function.update", request_body = UpdateFunction,
    params(("app" = String, Path), ("name" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, description = "The function; `ETag` is its revision", body = Function)))]
pub async fn update(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    if_match: IfMatch,
    Body(change): Body<UpdateFunction>,
) -> Result<Response, Problem> {
    let expected = needed(if_match)?;
    let function = function::save(&platform, &actor, (&app, &name), Save { change, expected }).await?;
    Ok(tagged(function.revision, Json(function)).into_response())
}

/// Removes a function with all its versions.
#[utoipa::path(delete, path = "/apps/{app}/functions/{name}", tag = "functions", operation_id = "function.delete",
    params(("app" = String, Path), ("name" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
) -> Result<StatusCode, Problem> {
    function::remove(&platform, &actor, &app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
