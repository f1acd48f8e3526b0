//! Laf's addresses for editors, `/_/lsp` and `/_/typing/package` of an app's own host. The gateway leads them here.
//!
//! The develop token is a personal access token of a member of the app: one signed with the app's own secret, as Laf's
//! is, could be made by whatever code the app runs. No cookie counts here.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Json, Router};
use darter_core::{AppId, Fault};
use darter_platform::{Actor, Platform, language};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attach;
use crate::extract::{Path, Query, Server};
use crate::problem::Problem;

const DEVELOP_TOKEN: HeaderName = HeaderName::from_static("x-laf-develop-token");

/// The two of them. They are no part of the described API: their shapes are Laf's.
pub fn router() -> Router<Arc<Platform>> {
    Router::new().route("/_/apps/{app}/lsp", any(connect)).route("/_/apps/{app}/typing/package", get(typing))
}

fn token(headers: &HeaderMap, name: HeaderName) -> Result<&str, Fault> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|token| !token.is_empty()).ok_or_else(
        || {
            Fault::unauthenticated(
                "auth.required",
                "A develop token is needed: a personal access token of this server.",
            )
        },
    )
}

/// JSON-RPC messages, one a text frame; the token is the name of the subprotocol.
async fn connect(
    Server(platform): Server,
    Path(app): Path<AppId>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let token = token(&headers, SEC_WEBSOCKET_PROTOCOL)?;
    let actor = Actor::by_token(&platform, token).await?;
    // A browser gives up a connection whose subprotocol is not taken.
    attach(platform, actor, &app, upgrade.protocols([token.to_owned()])).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    package_name: String,
}

/// `{code: 0, data: [{packageName, content, path, from}]}`, or `{code: 1, error}` for a package without types.
async fn typing(
    Server(platform): Server,
    Path(app): Path<AppId>,
    Query(Wanted { package_name }): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let actor = Actor::by_token(&platform, token(&headers, DEVELOP_TOKEN)?).await?;
    let files = language::package(&platform, &actor, &app, &package_name).await?;
    if files.is_empty() {
        let error = format!("No types of {package_name} are kept apart. The language server at /_/lsp knows them.");
        return Ok(Json(json!({ "code": 1, "error": error })));
    }
    let from = if package_name.starts_with("@/") { "cloud-function" } else { "node_modules" };
    let data: Vec<Value> = files
        .iter()
        .map(|file| json!({ "packageName": package_name, "content": file.text, "path": file.path, "from": from }))
        .collect();
    Ok(Json(json!({ "code": 0, "data": data })))
}
