//! `/workspaces`: the workspaces of whoever asks.

mod create;
pub mod enter;
mod files;
mod inspect;
mod ports;
mod snapshots;
mod sockets;
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
        .routes(routes!(enter::open))
        .routes(routes!(create::clone))
        .routes(routes!(files::read, files::write, files::change))
        .routes(routes!(files::list))
        .routes(routes!(files::archive, files::unpack))
        .routes(routes!(sockets::terminal))
        .routes(routes!(sockets::exec))
        .routes(routes!(snapshots::list, snapshots::create))
        .routes(routes!(snapshots::get, snapshots::remove))
        .routes(routes!(snapshots::folder))
        .routes(routes!(snapshots::read))
        .routes(routes!(snapshots::restore))
        .routes(routes!(ports::list))
        .routes(routes!(ports::set, ports::reset))
        .routes(routes!(ports::share))
        .routes(routes!(ports::shares))
        .routes(routes!(ports::unshare))
}
