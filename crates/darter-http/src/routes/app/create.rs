//! `POST /apps`

use axum::Json;
use darter_api::app::{App, CreateApp};
use http::StatusCode;

use crate::extract::{Body, Caller, Server};
use crate::problem::Problem;

/// Makes an app: running, empty, the caller's own.
#[utoipa::path(post, path = "/apps", tag = "apps", operation_id = "app.create", request_body = CreateApp,
    responses((status = 201, description = "The new app", body = App)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<CreateApp>,
) -> Result<(StatusCode, Json<App>), Problem> {
    let app = darter_platform::app::create(&platform, &actor, input).await?;
    Ok((StatusCode::CREATED, Json(app)))
}
