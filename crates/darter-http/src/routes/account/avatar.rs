//! Pictures of people.

use axum::Json;
use axum::response::{IntoResponse, Response};
use darter_api::account::Account;
use darter_core::AccountId;
use darter_platform::account;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::extract::{Caller, Path, Picture, Server};
use crate::problem::Problem;

/// Sets one's picture: PNG, JPEG, WebP or GIF of at most 5 MiB. It is drawn anew, 256 × 256.
#[utoipa::path(put, path = "/me/avatar", tag = "me", operation_id = "me.avatar.set",
    request_body(content = Vec<u8>, content_type = "image/png"),
    responses((status = 200, description = "The account with its new picture", body = Account)))]
pub async fn set(
    Server(platform): Server,
    Caller(actor): Caller,
    Picture(bytes): Picture,
) -> Result<Json<Account>, Problem> {
    Ok(Json(account::set_avatar(&platform, &actor, bytes).await?))
}

/// Takes one's picture away.
#[utoipa::path(delete, path = "/me/avatar", tag = "me", operation_id = "me.avatar.delete",
    responses((status = 200, description = "The account without a picture", body = Account)))]
pub async fn delete(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Account>, Problem> {
    Ok(Json(account::remove_avatar(&platform, &actor).await?))
}

/// Somebody's picture. Its address changes with it.
#[utoipa::path(get, path = "/accounts/{account}/avatar", tag = "me", operation_id = "account.avatar.get",
    params(("account" = String, Path), ("v" = Option<String>, Query, description = "Changes with the picture")),
    responses((status = 200, description = "The picture", body = Vec<u8>, content_type = "image/webp")))]
pub async fn get(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(account): Path<AccountId>,
) -> Result<Response, Problem> {
    let bytes = account::picture(&platform, &actor, &account).await?;
    let headers = [(CONTENT_TYPE, "image/webp"), (CACHE_CONTROL, "private, max-age=31536000, immutable")];
    Ok((headers, bytes).into_response())
}
