//! `/me`: oneself, and what proves it.

mod avatar;
mod identities;
mod profile;
mod sessions;
mod ssh_keys;
mod tokens;

use std::sync::Arc;

use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes of oneself.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(profile::get, profile::update))
        .routes(routes!(profile::change_password))
        .routes(routes!(avatar::set, avatar::delete))
        .routes(routes!(avatar::get))
        .routes(routes!(sessions::list, sessions::end_others))
        .routes(routes!(sessions::end))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(ssh_keys::list, ssh_keys::create))
        .routes(routes!(ssh_keys::delete))
        .routes(routes!(identities::list))
        .routes(routes!(identities::delete))
}
