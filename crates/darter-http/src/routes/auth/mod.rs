//! `/auth`: signing up, in and out, a forgotten password.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::account::{Account, AuthMethods, ForgotPassword, ResetPassword, SignIn, SignUp};
use darter_platform::Platform;
use darter_platform::account::{self, SignedIn};
use http::StatusCode;
use http::header::SET_COOKIE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::cookie::Cookie;
use crate::extract::{Body, Caller, Server};
use crate::problem::Problem;

/// Routes of signing in.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(methods))
        .routes(routes!(sign_up))
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(forgot))
        .routes(routes!(reset))
}

fn with_cookie(platform: &Platform, status: StatusCode, signed_in: SignedIn) -> Response {
    let cookie = Cookie::Session.set(&signed_in.secret, platform.config.https());
    (status, [(SET_COOKIE, cookie)], Json(signed_in.account)).into_response()
}

/// What the sign-in page shows.
#[utoipa::path(get, path = "/auth/methods", tag = "auth", operation_id = "auth.methods",
    responses((status = 200, description = "Ways to sign in", body = AuthMethods)))]
pub async fn methods(Server(platform): Server) -> Result<Json<AuthMethods>, Problem> {
    Ok(Json(account::methods(&platform).await?))
}

/// Makes an account and signs it in. The first is the administrator.
#[utoipa::path(post, path = "/auth/signup", tag = "auth", operation_id = "auth.signup", request_body = SignUp,
    responses((status = 201, description = "The account; a session cookie is set", body = Account)))]
pub async fn sign_up(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<SignUp>,
) -> Result<Response, Problem> {
    let signed_in = account::sign_up(&platform, &actor, input).await?;
    Ok(with_cookie(&platform, StatusCode::CREATED, signed_in))
}

/// Signs in with a password.
#[utoipa::path(post, path = "/auth/signin", tag = "auth", operation_id = "auth.signin", request_body = SignIn,
    responses((status = 200, description = "The account; a session cookie is set", body = Account)))]
pub async fn sign_in(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<SignIn>,
) -> Result<Response, Problem> {
    let signed_in = account::sign_in(&platform, &actor, input).await?;
    Ok(with_cookie(&platform, StatusCode::OK, signed_in))
}

/// Ends the session that asks.
#[utoipa::path(post, path = "/auth/signout", tag = "auth", operation_id = "auth.signout",
    responses((status = 204, description = "The session has ended")))]
pub async fn sign_out(Server(platform): Server, Caller(actor): Caller) -> Result<Response, Problem> {
    account::sign_out(&platform, &actor).await?;
    let cookie = Cookie::Session.clear(platform.config.https());
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

/// Sends a mail to reset a password, if the account exists. The answer does not tell.
#[utoipa::path(post, path = "/auth/password/forgot", tag = "auth", operation_id = "auth.password.forgot", request_body = ForgotPassword,
    responses((status = 202, description = "If there is such an account, a mail is on its way")))]
pub async fn forgot(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<ForgotPassword>,
) -> Result<StatusCode, Problem> {
    account::forgot(&platform, &actor, input).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Chooses a new password with a token from a mail or from the operator.
#[utoipa::path(post, path = "/auth/password/reset", tag = "auth", operation_id = "auth.password.reset", request_body = ResetPassword,
    responses((status = 204, description = "The password is changed; every session has ended")))]
pub async fn reset(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<ResetPassword>,
) -> Result<StatusCode, Problem> {
    account::reset_password(&platform, &actor, input).await?;
    Ok(StatusCode::NO_CONTENT)
}
