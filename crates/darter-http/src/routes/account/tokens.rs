//! `/me/tokens`: personal access tokens.

use axum::Json;
use darter_api::account::{CreateToken, CreatedToken, Token};
use darter_api::page::Page;
use darter_core::TokenId;
use darter_platform::account;
use http::StatusCode;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// All of one's own.
#[utoipa::path(get, path = "/me/tokens", tag = "me", operation_id = "token.list",
    responses((status = 200, description = "Tokens, without their secrets", body = Page<Token>)))]
pub async fn list(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<Token>>, Problem> {
    Ok(Json(account::tokens(&platform, &actor).await?))
}

/// Makes one. Its secret is shown only now.
#[utoipa::path(post, path = "/me/tokens", tag = "me", operation_id = "token.create", request_body = CreateToken,
    responses((status = 201, description = "The token and its secret", body = CreatedToken)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    Ok((StatusCode::CREATED, Json(account::create_token(&platform, &actor, input).await?)))
}

/// Takes one away.
#[utoipa::path(delete, path = "/me/tokens/{token}", tag = "me", operation_id = "token.delete",
    params(("token" = String, Path)), responses((status = 204, description = "It no longer works")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(token): Path<TokenId>,
) -> Result<StatusCode, Problem> {
    account::remove_token(&platform, &actor, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
