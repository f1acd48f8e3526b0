//! `/apps/{app}/metrics`

use std::sync::Arc;

use axum::Json;
use darter_api::log::Metrics;
use darter_core::AppId;
use darter_platform::{Platform, metrics};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Caller, Path, Query, Server};
use crate::problem::Problem;

/// Routes of metrics.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Over what time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// `hour`, `day` or `week`; a day unless told.
    #[serde(default)]
    range: String,
}

/// Calls, errors and latencies, by function and over time.
#[utoipa::path(get, path = "/apps/{app}/metrics", tag = "metrics", operation_id = "metrics.get",
    params(("app" = String, Path), MetricsQuery), responses((status = 200, description = "Numbers", body = Metrics)))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<Metrics>, Problem> {
    Ok(Json(metrics::metrics(&platform, &actor, &app, &query.range).await?))
}
