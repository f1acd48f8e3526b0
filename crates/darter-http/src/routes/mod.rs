//! The routes, one folder per noun.

mod account;
mod admin;
mod app;
mod audit;
mod auth;
mod complete;
mod domain;
mod draft;
mod environment;
mod function;
mod invitation;
mod language;
mod logs;
mod metrics;
mod provider;
mod resource;
mod run;
mod system;
pub mod workspace;

use std::sync::Arc;

use darter_platform::Platform;
use utoipa_axum::router::OpenApiRouter;

pub use language::laf;

/// People: signing in, oneself, invitations, the server.
pub fn accounts() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .merge(system::router())
        .merge(auth::router())
        .merge(provider::router())
        .merge(account::router())
        .merge(invitation::router())
        .merge(audit::router())
        .merge(admin::router())
}

/// Apps and what belongs to them.
pub fn apps() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .merge(app::router())
        .merge(domain::router())
        .merge(function::router())
        .merge(draft::router())
        .merge(resource::router())
        .merge(logs::router())
        .merge(metrics::router())
        .merge(language::router())
        .layer(axum::middleware::from_fn(complete::to_the_end))
}

/// Runs: the languages there are, and one execution of a snippet.
pub fn runs() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().merge(run::router())
}

/// Workspaces and what belongs to them.
pub fn workspaces() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .merge(environment::router())
        .merge(workspace::router())
        .layer(axum::middleware::from_fn(complete::to_the_end))
}
