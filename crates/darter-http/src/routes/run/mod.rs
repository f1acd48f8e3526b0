//! `/runs`, and `/languages`.

use std::sync::Arc;

use axum::Json;
use darter_api::page::Page;
use darter_api::run::{CreateRun, Language, Run};
use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Body, Caller, Server};
use crate::problem::Problem;

/// Routes of runs.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(languages))
}

/// Runs a program to its end. Nothing of it is kept; whoever closes the connection ends it.
#[utoipa::path(post, path = "/runs", tag = "runs", operation_id = "run.create", request_body = CreateRun,
    responses((status = 200, description = "What became of it", body = Run)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(asked): Body<CreateRun>,
) -> Result<Json<Run>, Problem> {
    Ok(Json(darter_platform::run::start(&platform, &actor, asked).await?))
}

/// The languages that programs can be written in, by name.
#[utoipa::path(get, path = "/languages", tag = "runs", operation_id = "language.list",
    responses((status = 200, description = "The languages", body = Page<Language>)))]
pub async fn languages(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<Language>>, Problem> {
    Ok(Json(darter_platform::run::languages(&platform, &actor).await?))
}
