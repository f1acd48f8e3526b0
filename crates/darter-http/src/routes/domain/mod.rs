//! `/apps/{app}/domains`: custom domains.

use std::sync::Arc;

use axum::Json;
use darter_api::app::{CreateDomain, Domain};
use darter_api::page::Page;
use darter_core::AppId;
use darter_platform::{Platform, domain};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// Routes of domains.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete)).routes(routes!(verify))
}

/// How to verify.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// Without looking at records; only for an administrator of the server.
    #[serde(default)]
    by_hand: bool,
}

/// The app's domains.
#[utoipa::path(get, path = "/apps/{app}/domains", tag = "domains", operation_id = "domain.list",
    params(("app" = String, Path)), responses((status = 200, description = "All of the app", body = Page<Domain>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<Page<Domain>>, Problem> {
    Ok(Json(domain::list(&platform, &actor, &app).await?))
}

/// Adds a host, to be proven.
#[utoipa::path(post, path = "/apps/{app}/domains", tag = "domains", operation_id = "domain.create", request_body = CreateDomain,
    params(("app" = String, Path)), responses((status = 201, description = "The domain with its challenge", body = Domain)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Body(input): Body<CreateDomain>,
) -> Result<(StatusCode, Json<Domain>), Problem> {
    Ok((StatusCode::CREATED, Json(domain::create(&platform, &actor, &app, input).await?)))
}

/// Lets go of a host.
#[utoipa::path(delete, path = "/apps/{app}/domains/{host}", tag = "domains", operation_id = "domain.delete",
    params(("app" = String, Path), ("host" = String, Path)), responses((status = 204, description = "It is gone")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, host)): Path<(AppId, String)>,
) -> Result<StatusCode, Problem> {
    domain::remove(&platform, &actor, &app, &host).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks the records up; when they fit, the host is served.
#[utoipa::path(post, path = "/apps/{app}/domains/{host}/verify", tag = "domains", operation_id = "domain.verify",
    params(("app" = String, Path), ("host" = String, Path), VerifyQuery), responses((status = 200, description = "The domain", body = Domain)))]
pub async fn verify(
    Server(platform): Server,
    Caller(actor): Caller,
    Path((app, host)): Path<(AppId, String)>,
    Query(query): Query<VerifyQuery>,
) -> Result<Json<Domain>, Problem> {
    let domain = match query.by_hand {
        true => domain::verify_by_hand(&platform, &actor, &app, &host).await?,
        false => domain::verify(&platform, &actor, &app, &host).await?,
    };
    Ok(Json(domain))
}
