//! `/apps/{app}/functions`: drafts, versions, publishing.

mod change;
mod inspect;
mod publish;

use std::sync::Arc;

use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes of functions.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(inspect::list, change::create))
        .routes(routes!(inspect::get, change::update, change::delete))
        .routes(routes!(publish::publish))
        .routes(routes!(publish::rollback))
        .routes(routes!(inspect::versions))
        .routes(routes!(inspect::version))
        .routes(routes!(inspect::diff))
}
