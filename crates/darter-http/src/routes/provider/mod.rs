//! `/auth/providers`: signing in elsewhere. Both are opened by the browser itself, so they answer with redirects.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use darter_platform::Platform;
use darter_platform::provider::{self, Callback, Finished, Start};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::cookie::Cookie;
use crate::extract::{Caller, Path, Query, Server};
use crate::identify::Whence;
use crate::problem::Problem;

/// Routes of signing in elsewhere.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(callback))
}

/// How to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StartQuery {
    /// A path of the console to go to afterwards.
    return_to: Option<String>,
    /// Bind to the account that is signed in, instead of signing in.
    #[serde(default)]
    bind: bool,
    /// The code of an invitation, for a new account.
    invitation: Option<String>,
}

/// Goes to the provider.
#[utoipa::path(get, path = "/auth/providers/{provider}/start", tag = "auth", operation_id = "auth.provider.start",
    params(("provider" = String, Path), StartQuery), responses((status = 302, description = "To the provider")))]
pub async fn start(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(provider): Path<String>,
    Query(query): Query<StartQuery>,
    whence: Whence,
) -> Result<Response, Problem> {
    if query.bind {
        // Another site must not bind an account of its choice to whoever is signed in here.
        whence.must_be_ours()?;
    }
    let input = Start { return_to: query.return_to, bind: query.bind, invitation: query.invitation };
    let started = provider::start(&platform, &actor, &provider, input).await?;
    let cookie = Cookie::Flow.set(&started.cookie, platform.config.https());
    let headers = [(SET_COOKIE, cookie)];
    Ok((StatusCode::FOUND, headers, [(LOCATION, started.location)]).into_response())
}

/// What the provider sends.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Comes back from the provider, and goes on into the console; what went wrong is its `error`.
#[utoipa::path(get, path = "/auth/providers/{provider}/callback", tag = "auth", operation_id = "auth.provider.callback",
    params(("provider" = String, Path), CallbackQuery), responses((status = 302, description = "Into the console")))]
pub async fn callback(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(provider): Path<String>,
    Query(query): Query<CallbackQuery>,
    headers: HeaderMap,
) -> Response {
    let https = platform.config.https();
    let cookie = Cookie::Flow.read(&headers, https);
    let callback = Callback { code: query.code, state: query.state, error: query.error, cookie };
    answer(provider::finish(&platform, &actor, &provider, callback).await, https)
}

fn answer(finished: Finished, https: bool) -> Response {
    if let Some(fault) = &finished.fault {
        tracing::info!(code = fault.code, cause = fault.cause.as_deref(), "a sign-in elsewhere came to nothing");
    }
    let mut answer = (StatusCode::FOUND, [(LOCATION, finished.location)]).into_response();
    answer.headers_mut().append(SET_COOKIE, Cookie::Flow.clear(https));
    if let Some(secret) = finished.session {
        answer.headers_mut().append(SET_COOKIE, Cookie::Session.set(&secret, https));
    }
    answer
}
