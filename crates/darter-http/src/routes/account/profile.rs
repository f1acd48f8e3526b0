//! `GET /me`, `PATCH /me`, `POST /me/password`

use axum::Json;
use darter_api::account::{Account, ChangePassword, UpdateAccount};
use darter_platform::account;
use http::StatusCode;

use crate::extract::{Body, Caller, Server};
use crate::problem::Problem;

/// Oneself.
#[utoipa::path(get, path = "/me", tag = "me", operation_id = "me.get",
    responses((status = 200, description = "The account that asks", body = Account)))]
pub async fn get(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Account>, Problem> {
    Ok(Json(account::me(&platform, &actor).await?))
}

/// Changes display name and address.
#[utoipa::path(patch, path = "/me", tag = "me", operation_id = "me.update", request_body = UpdateAccount,
    responses((status = 200, description = "The account", body = Account)))]
pub async fn update(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<UpdateAccount>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(account::update(&platform, &actor, input).await?))
}

/// Changes the password. All other sessions end.
#[utoipa::path(post, path = "/me/password", tag = "me", operation_id = "me.password.change", request_body = ChangePassword,
    responses((status = 204, description = "It is changed")))]
pub async fn change_password(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<ChangePassword>,
) -> Result<StatusCode, Problem> {
    account::change_password(&platform, &actor, input).await?;
    Ok(StatusCode::NO_CONTENT)
}
