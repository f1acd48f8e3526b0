//! `/apps`: the apps of whoever asks.

mod create;
mod inspect;
mod state;
mod transfer;
mod update;

use std::sync::Arc;

use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes of apps.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(inspect::list, create::create))
        .routes(routes!(transfer::import))
        .routes(routes!(inspect::get, update::update, state::delete))
        .routes(routes!(state::start))
        .routes(routes!(state::stop))
        .routes(routes!(state::restart))
        .routes(routes!(state::restore))
        .routes(routes!(state::purge))
        .routes(routes!(transfer::export))
        .routes(routes!(inspect::instances))
        .routes(routes!(inspect::members))
}
