//! Terminals and programs of a workspace over a WebSocket: `/workspaces/{workspace}/terminal`, `/exec`. What is spoken is
//! the attendant's (`docs/reference/attendant.md`, Terminals and programs).

use std::sync::Arc;

use axum::body::Body as AxumBody;
use axum::extract::FromRequestParts;
use axum::response::Response;
use darter_core::{Fault, WorkspaceId};
use darter_platform::workspace::inside::{self, Handshake, Tunnel};
use darter_platform::{Platform, credential_ends};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Caller, Path, Query, SameOrigin, Server};
use crate::problem::Problem;

/// How large, where, which.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TerminalQuery {
    cols: Option<u16>,
    rows: Option<u16>,
    /// Where a new one begins; the home unless told.
    cwd: Option<String>,
    /// A terminal that lives, to attach to again.
    id: Option<String>,
}

impl TerminalQuery {
    fn pairs(self) -> Vec<(&'static str, String)> {
        let number = |name, value: Option<u16>| value.map(|value| (name, value.to_string()));
        let text = |name, value: Option<String>| value.map(|value| (name, value));
        let all = [number("cols", self.cols), number("rows", self.rows), text("cwd", self.cwd), text("id", self.id)];
        all.into_iter().flatten().collect()
    }
}

/// A client that wants a WebSocket, from our own pages or with a token.
pub struct Socket {
    handshake: Handshake,
    upgrade: OnUpgrade,
}

impl FromRequestParts<Arc<Platform>> for Socket {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, platform: &Arc<Platform>) -> Result<Self, Problem> {
        SameOrigin::from_request_parts(parts, platform).await?;
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let both = Handshake::read(&parts.headers).zip(upgrade);
        let (handshake, upgrade) = both.ok_or_else(|| {
            let message = "This address speaks WebSocket. Open it with a client that upgrades the connection.";
            Problem(Fault::invalid("request.not_a_websocket", message))
        })?;
        Ok(Self { handshake, upgrade })
    }
}

fn switch(tunnel: Tunnel, upgrade: OnUpgrade, over: impl Future<Output = ()> + Send + 'static) -> Response {
    let mut answer = Response::new(AxumBody::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, tunnel.accept.clone());
    tokio::spawn(async move {
        // A client that went away before the connection changed hands has closed everything.
        if let Ok(client) = upgrade.await {
            tokio::select! {
                () = over => {}
                () = tunnel.run(TokioIo::new(client)) => {}
            }
        }
    });
    answer
}

/// A terminal, as a WebSocket. Closing it leaves the terminal running.
#[utoipa::path(get, path = "/workspaces/{workspace}/terminal", tag = "workspaces", operation_id = "workspace.terminal",
    params(("workspace" = String, Path), TerminalQuery), responses((status = 101, description = "A WebSocket")))]
pub async fn terminal(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(query): Query<TerminalQuery>,
    socket: Socket,
) -> Result<Response, Problem> {
    let tunnel = inside::terminal(&platform, &actor, &id, (socket.handshake, &query.pairs())).await?;
    let over = async move { credential_ends(&platform, &actor).await };
    Ok(switch(tunnel, socket.upgrade, over))
}

/// A program, as a WebSocket. Closing it ends the program.
#[utoipa::path(get, path = "/workspaces/{workspace}/exec", tag = "workspaces", operation_id = "workspace.exec",
    params(("workspace" = String, Path)), responses((status = 101, description = "A WebSocket")))]
pub async fn exec(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    socket: Socket,
) -> Result<Response, Problem> {
    let tunnel = inside::exec(&platform, &actor, &id, socket.handshake).await?;
    let over = async move { credential_ends(&platform, &actor).await };
    Ok(switch(tunnel, socket.upgrade, over))
}
