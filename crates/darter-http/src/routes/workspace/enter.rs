//! The console's side of the door: `GET /enter?to=…` for a browser that knocked at a workspace's address, and one-time
//! addresses for those who have no browser at hand.

use axum::Json;
use axum::response::{IntoResponse, Redirect, Response};
use darter_api::workspace::{OneTimeAddress, OpenWorkspace};
use darter_core::{Fault, Kind, WorkspaceId};
use darter_platform::workspace::door;
use http::header::{CACHE_CONTROL, HeaderValue, REFERRER_POLICY};
use serde::Deserialize;

use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// Where the browser wanted to go: a whole address of a workspace.
#[derive(Debug, Deserialize)]
pub struct EnterQuery {
    #[serde(default)]
    to: String,
}

/// Hands a browser over, or sends it to sign in and back, or to the list of workspaces with a word why.
pub async fn enter(Server(platform): Server, Caller(actor): Caller, Query(query): Query<EnterQuery>) -> Response {
    let to = match door::enter(&platform, &actor, &query.to).await {
        Ok(address) => address,
        Err(fault) => elsewhere(&fault, &query.to),
    };
    let mut answer = Redirect::to(&to).into_response();
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

fn elsewhere(fault: &Fault, to: &str) -> String {
    let quoted = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        text.bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect::<String>()
    };
    if fault.kind == Kind::Unauthenticated {
        return format!("/sign-in?return_to={}", quoted(&format!("/enter?to={}", quoted(to))));
    }
    if fault.kind == Kind::Internal {
        tracing::error!(%fault, cause = ?fault.cause, "a browser could not be handed over to a workspace");
    }
    format!("/workspaces?refused={}", quoted(fault.code))
}

/// An address that signs one browser in, once, within a minute.
#[utoipa::path(post, path = "/workspaces/{workspace}/open", tag = "workspaces", operation_id = "workspace.open",
    request_body = OpenWorkspace, params(("workspace" = String, Path)),
    responses((status = 200, description = "The address", body = OneTimeAddress)))]
pub async fn open(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Body(input): Body<OpenWorkspace>,
) -> Result<Json<OneTimeAddress>, Problem> {
    Ok(Json(door::open(&platform, &actor, &id, input).await?))
}
