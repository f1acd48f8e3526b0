//! Looking at apps: `GET /apps`, `GET /apps/{app}`, its instances and members.

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::app::{App, Instance, Member};
use darter_api::page::{Page, PageQuery};
use darter_core::AppId;
use darter_core::app::AppState;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Caller, Path, Query, Server, tagged};
use crate::problem::Problem;

/// Which apps.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AppQuery {
    /// `running`, `stopped` or `recycled`; unless told, all but those in the recycle bin.
    #[param(value_type = Option<String>)]
    state: Option<AppState>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The caller's apps, the newest first.
#[utoipa::path(get, path = "/apps", tag = "apps", operation_id = "app.list", params(AppQuery),
    responses((status = 200, description = "A page of apps", body = Page<App>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Query(query): Query<AppQuery>,
) -> Result<Json<Page<App>>, Problem> {
    let page = PageQuery { cursor: query.cursor, limit: query.limit };
    Ok(Json(darter_platform::app::list(&platform, &actor, query.state, &page).await?))
}

/// One app.
#[utoipa::path(get, path = "/apps/{app}", tag = "apps", operation_id = "app.get", params(("app" = String, Path)),
    responses((status = 200, description = "The app; `ETag` is its revision", body = App)))]
pub async fn get(Server(platform): Server, Caller(actor): Caller, Path(app): Path<AppId>) -> Result<Response, Problem> {
    let app = darter_platform::app::get(&platform, &actor, &app).await?;
    Ok(tagged(app.revision, Json(app)).into_response())
}

/// What runs now.
#[utoipa::path(get, path = "/apps/{app}/instances", tag = "apps", operation_id = "app.instances", params(("app" = String, Path)),
    responses((status = 200, description = "Instances", body = Page<Instance>)))]
pub async fn instances(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<Page<Instance>>, Problem> {
    Ok(Json(darter_platform::app::instances(&platform, &actor, &app).await?))
}

/// Who may do what.
#[utoipa::path(get, path = "/apps/{app}/members", tag = "apps", operation_id = "app.members", params(("app" = String, Path)),
    responses((status = 200, description = "Members", body = Page<Member>)))]
pub async fn members(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<Page<Member>>, Problem> {
    Ok(Json(darter_platform::app::members(&platform, &actor, &app).await?))
}
