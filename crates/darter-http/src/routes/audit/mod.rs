//! Who changed what: one's own changes, an app's, everything.

use std::sync::Arc;

use axum::Json;
use darter_api::audit::AuditEntry;
use darter_api::page::{Page, PageQuery};
use darter_core::AppId;
use darter_platform::{Platform, audit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Caller, Path, Query, Server};
use crate::problem::Problem;

/// Routes of the audit record.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(own)).routes(routes!(of_app)).routes(routes!(all))
}

/// What the caller changed, the newest first.
#[utoipa::path(get, path = "/me/audit", tag = "audit", operation_id = "audit.own", params(PageQuery),
    responses((status = 200, description = "A page of changes", body = Page<AuditEntry>)))]
pub async fn own(
    Server(platform): Server,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    Ok(Json(audit::of_oneself(&platform, &actor, &page).await?))
}

/// What was changed in an app, the newest first. For its owners.
#[utoipa::path(get, path = "/apps/{app}/audit", tag = "audit", operation_id = "audit.app", params(("app" = String, Path), PageQuery),
    responses((status = 200, description = "A page of changes", body = Page<AuditEntry>)))]
pub async fn of_app(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    Ok(Json(audit::of_app(&platform, &actor, &app, &page).await?))
}

/// Everything that anybody changed, the newest first. For administrators.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "audit.all", params(PageQuery),
    responses((status = 200, description = "A page of changes", body = Page<AuditEntry>)))]
pub async fn all(
    Server(platform): Server,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    Ok(Json(audit::of_everything(&platform, &actor, &page).await?))
}
