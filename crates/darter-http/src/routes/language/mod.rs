//! The language server over a WebSocket, and types for editors without one.

mod laf;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use darter_core::AppId;
use darter_platform::language::{self, Changes, Language, MESSAGE_LIMIT, Outgoing, Typing};
use darter_platform::{Actor, Platform, credential_ends};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Caller, Path, SameOrigin, Server};
use crate::problem::Problem;

pub use laf::router as laf;

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
    attach(platform, actor, &app, upgrade).await
}

/// Opens a server of one's own behind a WebSocket, until one side ends or the credential does.
async fn attach(
    platform: Arc<Platform>,
    actor: Actor,
    app: &AppId,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let language = language::open(&platform, &actor, app).await?;
    let upgrade = upgrade.max_message_size(MESSAGE_LIMIT).max_frame_size(MESSAGE_LIMIT);
    let over = async move { credential_ends(&platform, &actor).await };
    Ok(upgrade.on_upgrade(move |socket| bridge(socket, language, over)))
}

/// Passes messages on until one side ends, and what others save meanwhile. Each direction has a loop of its own: a
/// half-read message is never let go. What is left of `language` at the end is dropped, and that ends the server.
async fn bridge(socket: WebSocket, language: Language, over: impl Future<Output = ()>) {
    let Language { mut incoming, outgoing, place, changes, guard } = language;
    let (to_editor, from_editor) = socket.split();
    let to_editor = Mutex::new(to_editor);
    let server_speaks = async {
        while let Ok(Some(message)) = incoming.next().await {
            if to_editor.lock().await.send(Message::text(message)).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = place.end.cancelled() => {}
        () = over => {}
        () = server_speaks => {}
        () = others_speak(from_editor, &to_editor, outgoing, changes) => {}
    }
    drop(guard);
}

/// The editor, and those who save other functions.
async fn others_speak(
    mut editor: SplitStream<WebSocket>,
    to_editor: &Mutex<SplitSink<WebSocket, Message>>,
    mut server: Outgoing,
    mut changes: Changes,
) {
    loop {
        let sent = tokio::select! {
            message = editor.next() => match message {
                Some(Ok(Message::Text(text))) => server.send(&text).await.is_ok(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => true,
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => false,
            },
            Some(change) = changes.recv() => match server.tell(change).await {
                Ok(Some(news)) => to_editor.lock().await.send(Message::text(news)).await.is_ok(),
                Ok(None) => true,
                Err(_) => false,
            },
        };
        if !sent {
            break;
        }
    }
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
