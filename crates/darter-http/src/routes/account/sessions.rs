//! `/me/sessions`: the browsers that are signed in.

use axum::Json;
use darter_api::account::Session;
use darter_api::page::Page;
use darter_core::SessionId;
use darter_platform::account;
use http::StatusCode;

use crate::extract::{Caller, Path, Server};
use crate::problem::Problem;

/// All of one's own.
#[utoipa::path(get, path = "/me/sessions", tag = "me", operation_id = "session.list",
    responses((status = 200, description = "Sessions", body = Page<Session>)))]
pub async fn list(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<Session>>, Problem> {
    Ok(Json(account::sessions(&platform, &actor).await?))
}

/// Ends one.
#[utoipa::path(delete, path = "/me/sessions/{session}", tag = "me", operation_id = "session.delete",
    params(("session" = String, Path)), responses((status = 204, description = "It has ended")))]
pub async fn end(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(session): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    account::end_session(&platform, &actor, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all but the one that asks.
#[utoipa::path(delete, path = "/me/sessions", tag = "me", operation_id = "session.delete_others",
    responses((status = 204, description = "All others have ended")))]
pub async fn end_others(Server(platform): Server, Caller(actor): Caller) -> Result<StatusCode, Problem> {
    account::end_other_sessions(&platform, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
