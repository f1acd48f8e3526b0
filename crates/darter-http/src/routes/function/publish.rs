//! Publishing, and going back.

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::function::{Publish, Published, Rollback};
use darter_core::AppId;
use darter_platform::function;

use crate::extract::{Body, Caller, IfMatch, Path, Server, tagged};
use crate::problem::Problem;

/// Makes the draft an immutable version and the version live. Answers when it answers calls.
#[utoipa::path(post, path = "/apps/{app}/functions/{name}/publish", tag = "functions", operation_id = "function.publish", request_body = Publish,
    params(("app" = String, Path), ("name" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "What was published; `ETag` is the draft's revision", body = Published)))]
pub async fn publish(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    IfMatch(expected): IfMatch,
    Body(input): Body<Publish>,
) -> Result<Response, Problem> {
    let (published, revision) = function::publish(&platform, &actor, (&app, &name), (input, expected)).await?;
    Ok(tagged(revision, Json(published)).into_response())
}

/// Makes an old version live again, as it is.
#[utoipa::path(post, path = "/apps/{app}/functions/{name}/rollback", tag = "functions", operation_id = "function.rollback", request_body = Rollback,
    params(("app" = String, Path), ("name" = String, Path)), responses((status = 200, description = "What is live now", body = Published)))]
pub async fn rollback(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    Body(input): Body<Rollback>,
) -> Result<Json<Published>, Problem> {
    Ok(Json(function::rollback(&platform, &actor, (&app, &name), input.version).await?))
}
