//! The language server over a WebSocket, and types for editors without one.

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use darter_core::AppId;
use darter_platform::Platform;
use darter_platform::language::{self, Language, MESSAGE_LIMIT, Typing};
use futures_util::{SinkExt, StreamExt};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Caller, Path, SameOrigin, Server};
use crate::problem::Problem;

/// Routes of the language server.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(connect)).routes(routes!(typings))
}

/// JSON-RPC messages of the Language Server Protocol, one a text frame.
#[utoipa::path(get, path = "/apps/{app}/lsp", tag = "language", operation_id = "language.connect",
    params(("app" = String, Path)), responses((status = 101, description = "A WebSocket")))]
pub async fn connect(
    Server(platform): Server,
    Caller(actor): Caller,
    _origin: SameOrigin,
    Path(app): Path<AppId>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let language = language::open(&platform, &actor, &app).await?;
    let upgrade = upgrade.max_message_size(MESSAGE_LIMIT).max_frame_size(MESSAGE_LIMIT);
    Ok(upgrade.on_upgrade(move |socket| bridge(socket, language)))
}

/// Passes messages on until one side ends. Each direction has a loop of its own: a half-read message is never let go.
/// What is left of `language` at the end is dropped, and that ends the server.
async fn bridge(socket: WebSocket, language: Language) {
    let Language { mut incoming, mut outgoing, place, guard } = language;
    let (mut to_editor, mut from_editor) = socket.split();
    let server_speaks = async {
        while let Ok(Some(message)) = incoming.next().await {
            if to_editor.send(Message::text(message)).await.is_err() {
                break;
            }
        }
    };
    let editor_speaks = async {
        while let Some(Ok(message)) = from_editor.next().await {
            let sent = match message {
                Message::Text(text) => outgoing.send(&text).await.is_ok(),
                Message::Ping(_) | Message::Pong(_) => true,
                Message::Binary(_) | Message::Close(_) => false,
            };
            if !sent {
                break;
            }
        }
    };
    tokio::select! {
        () = place.end.cancelled() => {}
        () = server_speaks => {}
        () = editor_speaks => {}
    }
    drop(guard);
}

/// Types of the SDK and the globals.
#[utoipa::path(get, path = "/apps/{app}/typings", tag = "language", operation_id = "language.typings",
    params(("app" = String, Path)), responses((status = 200, description = "A list of `{path, text}`", body = Vec<serde_json::Value>)))]
pub async fn typings(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Json<Vec<Typing>>, Problem> {
    Ok(Json(language::typings(&platform, &actor, &app).await?))
}
