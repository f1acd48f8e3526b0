//! `/workspaces`: the workspaces of whoever asks.

mod create;
mod inspect;
mod state;
mod update;

use std::sync::Arc;

use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes of workspaces.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(inspect::list, create::create))
        .routes(routes!(inspect::get, update::update, state::delete))
        .routes(routes!(inspect::events))
        .routes(routes!(state::start))
        .routes(routes!(state::stop))
        .routes(routes!(state::restart))
        .routes(routes!(state::keep))
        .routes(routes!(state::restore))
        .routes(routes!(state::purge))
}
