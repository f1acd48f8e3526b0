//! `/me/identities`: accounts at other providers that are bound to one's own. Binding: `/auth/providers/{provider}/start?bind=true`.

use axum::Json;
use darter_api::account::Identity;
use darter_api::page::Page;
use darter_platform::provider;
use http::StatusCode;

use crate::extract::{Caller, Path, Server};
use crate::problem::Problem;

/// All of one's own.
#[utoipa::path(get, path = "/me/identities", tag = "me", operation_id = "identity.list",
    responses((status = 200, description = "What is bound", body = Page<Identity>)))]
pub async fn list(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<Identity>>, Problem> {
    Ok(Json(provider::list(&platform, &actor).await?))
}

/// Unbinds one, unless it is the only way to sign in.
#[utoipa::path(delete, path = "/me/identities/{provider}", tag = "me", operation_id = "identity.delete",
    params(("provider" = String, Path)), responses((status = 204, description = "It is unbound")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(provider): Path<String>,
) -> Result<StatusCode, Problem> {
    provider::unbind(&platform, &actor, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}
