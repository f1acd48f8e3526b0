//! `PATCH /apps/{app}`

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::app::{App, UpdateApp};
use darter_core::AppId;

use crate::extract::{Body, Caller, IfMatch, Path, Server, tagged};
use crate::problem::Problem;

/// Changes name and limits. With `If-Match`, only if nobody else changed the app since.
#[utoipa::path(patch, path = "/apps/{app}", tag = "apps", operation_id = "app.update", request_body = UpdateApp,
    params(("app" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "The app; `ETag` is its revision", body = App)))]
pub async fn update(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    IfMatch(expected): IfMatch,
    Body(input): Body<UpdateApp>,
) -> Result<Response, Problem> {
    let app = darter_platform::app::update(&platform, &actor, &app, (input, expected)).await?;
    Ok(tagged(app.revision, Json(app)).into_response())
}
