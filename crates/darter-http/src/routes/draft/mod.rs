//! `POST /apps/{app}/functions/{name}/run`

use std::sync::Arc;

use axum::Json;
use darter_api::draft::{RunRequest, RunResult};
use darter_core::AppId;
use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// Routes of runs.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(run))
}

/// Executes the draft with a chosen request. Publishes nothing.
#[utoipa::path(post, path = "/apps/{app}/functions/{name}/run", tag = "functions", operation_id = "function.run", request_body = RunRequest,
    params(("app" = String, Path), ("name" = String, Path)), responses((status = 200, description = "What came back", body = RunResult)))]
pub async fn run(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    Body(input): Body<RunRequest>,
) -> Result<Json<RunResult>, Problem> {
    Ok(Json(darter_platform::draft::run(&platform, &actor, (&app, &name), input).await?))
}
