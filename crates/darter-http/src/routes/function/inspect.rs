//! Looking at functions, their versions, and what differs.

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::function::{Diff, Function, FunctionSummary, Version, VersionSource};
use darter_api::page::{Page, PageQuery};
use darter_core::AppId;
use darter_platform::function;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Caller, Path, Query, Server, tagged};
use crate::problem::Problem;

/// What to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// A version's number; 0 is the draft.
    from: u32,
    /// A version's number; 0 is the draft.
    to: u32,
}

/// An app's functions by name.
#[utoipa::path(get, path = "/apps/{app}/functions", tag = "functions", operation_id = "function.list",
    params(("app" = String, Path), PageQuery), responses((status = 200, description = "A page of functions", body = Page<FunctionSummary>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<FunctionSummary>>, Problem> {
    Ok(Json(function::list(&platform, &actor, &app, &page).await?))
}

/// One function with its draft.
#[utoipa::path(get, path = "/apps/{app}/functions/{name}", tag = "functions", operation_id = "function.get",
    params(("app" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "The function; `ETag` is its revision", body = Function)))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
) -> Result<Response, Problem> {
    let function = function::get(&platform, &actor, &app, &name).await?;
    Ok(tagged(function.revision, Json(function)).into_response())
}

/// Its versions, the newest first.
#[utoipa::path(get, path = "/apps/{app}/functions/{name}/versions", tag = "functions", operation_id = "function.versions",
    params(("app" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, description = "A page of versions", body = Page<Version>)))]
pub async fn versions(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Version>>, Problem> {
    Ok(Json(function::versions(&platform, &actor, (&app, &name), &page).await?))
}

/// One version with its source.
#[utoipa::path(get, path = "/apps/{app}/functions/{name}/versions/{number}", tag = "functions", operation_id = "function.version",
    params(("app" = String, Path), ("name" = String, Path), ("number" = u32, Path)),
    responses((status = 200, description = "The version", body = VersionSource)))]
pub async fn version(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name, number)): Path<(AppId, String, u32)>,
) -> Result<Json<VersionSource>, Problem> {
    Ok(Json(function::version(&platform, &actor, (&app, &name), number).await?))
}

/// What differs between two versions, or a version and the draft.
#[utoipa::path(get, path = "/apps/{app}/functions/{name}/diff", tag = "functions", operation_id = "function.diff",
    params(("app" = String, Path), ("name" = String, Path), DiffQuery), responses((status = 200, description = "A unified diff", body = Diff)))]
pub async fn diff(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, name)): Path<(AppId, String)>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Diff>, Problem> {
    Ok(Json(function::diff(&platform, &actor, (&app, &name), (query.from, query.to)).await?))
}
