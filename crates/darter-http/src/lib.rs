//! The public API's routes and the console: extract, call one use case, map.
//!
//! Nothing here decides who may do what, opens a transaction, or knows SQL. A request passes, from the outside in:
//! request id → panics become answers → headers that browsers obey → compression → who asks, and did they mean it (CSRF)
//! → repeated creations → the handler.

mod compress;
mod console;
mod cookie;
mod extract;
pub mod hostile;
mod idempotent;
mod identify;
mod openapi;
mod problem;
mod room;
mod routes;
mod shield;
mod trace;

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use darter_platform::Platform;
use tower_http::catch_panic::CatchPanicLayer;

pub use openapi::openapi_json;

/// Everything that the console's host answers.
pub fn router(platform: Arc<Platform>) -> axum::Router {
    let (api, document) = openapi::parts();
    let api = api
        .route("/api/openapi.json", axum::routing::get(move || openapi::serve(document.clone())))
        .route("/enter", axum::routing::get(routes::workspace::enter::enter))
        .layer(from_fn_with_state(Arc::clone(&platform), idempotent::keep))
        .layer(from_fn_with_state(Arc::clone(&platform), identify::identify))
        .with_state(Arc::clone(&platform));
    let api = api.merge(routes::laf().with_state(Arc::clone(&platform)));
    api.fallback(console::serve)
        .layer(compress::layer())
        .layer(from_fn_with_state(shield::Shield::new(platform.config.https()), shield::shield))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(platform, trace::trace))
}
