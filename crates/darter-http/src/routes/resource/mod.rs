//! What belongs to an app besides code: variables, secrets, dependencies.

mod dependencies;
mod secrets;
mod variables;

use std::sync::Arc;

use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes of variables, secrets and dependencies.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(variables::list))
        .routes(routes!(variables::set, variables::delete))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::set, secrets::delete))
        .routes(routes!(dependencies::get, dependencies::set))
        .routes(routes!(dependencies::search))
        .routes(routes!(dependencies::cancel))
        .routes(routes!(dependencies::events))
}
