//! `/me/ssh-keys`: public keys that open one's workspaces.

use axum::Json;
use darter_api::account::{AddSshKey, SshKey};
use darter_api::page::Page;
use darter_core::SshKeyId;
use darter_platform::account;
use http::StatusCode;

use crate::extract::{Body, Caller, Path, Server};
use crate::problem::Problem;

/// All of one's own.
#[utoipa::path(get, path = "/me/ssh-keys", tag = "me", operation_id = "ssh_key.list",
    responses((status = 200, description = "Keys, the newest first", body = Page<SshKey>)))]
pub async fn list(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<SshKey>>, Problem> {
    Ok(Json(account::ssh_keys(&platform, &actor).await?))
}

/// Adds one.
#[utoipa::path(post, path = "/me/ssh-keys", tag = "me", operation_id = "ssh_key.create", request_body = AddSshKey,
    responses((status = 201, description = "The key; it works at once", body = SshKey)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<AddSshKey>,
) -> Result<(StatusCode, Json<SshKey>), Problem> {
    Ok((StatusCode::CREATED, Json(account::add_ssh_key(&platform, &actor, input).await?)))
}

/// Takes one away. Connections that were opened with it end.
#[utoipa::path(delete, path = "/me/ssh-keys/{key}", tag = "me", operation_id = "ssh_key.delete",
    params(("key" = String, Path)), responses((status = 204, description = "It no longer opens anything")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(key): Path<SshKeyId>,
) -> Result<StatusCode, Problem> {
    account::remove_ssh_key(&platform, &actor, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
