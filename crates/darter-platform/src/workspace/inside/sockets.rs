//! Terminals and programs: a WebSocket through to the attendant. Its frames are passed on as they are; both ends are
//! programs that take nobody's word.

use darter_core::role::Action;
use darter_core::{Fault, WorkspaceId};
use darter_engine::workspace::WorkspaceLease;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use url::form_urlencoded;

use super::attendant::send;
use crate::workspace::access::Opened;
use crate::{Actor, Platform};

/// What a client's handshake says that its other end must know.
#[derive(Debug, Clone)]
pub struct Handshake {
    pub key: HeaderValue,
    pub version: HeaderValue,
}

impl Handshake {
    /// From the client's headers; `None`: it is none.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let (key, version) = (headers.get("sec-websocket-key")?.clone(), headers.get("sec-websocket-version")?.clone());
        let upgrade = headers.get("upgrade")?.to_str().ok()?;
        upgrade.eq_ignore_ascii_case("websocket").then_some(Self { key, version })
    }
}

/// An open way inside.
pub struct Tunnel {
    /// Proof for the client that its other end speaks WebSocket.
    pub accept: HeaderValue,
    inside: TokioIo<Upgraded>,
    lease: WorkspaceLease,
}

impl Tunnel {
    /// Passes bytes on until one side ends.
    pub async fn run(mut self, mut client: impl AsyncRead + AsyncWrite + Unpin) {
        // However it ends, there is nobody left to tell.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut self.inside).await;
        drop(self.lease);
    }
}

/// A terminal: a new one, or one that lives.
pub async fn terminal(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    (handshake, query): (Handshake, &[(&str, String)]),
) -> Result<Tunnel, Fault> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    open(platform, actor, id, (handshake, &format!("/v1/terminal?{query}"), "workspace.terminal")).await
}

/// A program; what it is the first frame says.
pub async fn exec(platform: &Platform, actor: &Actor, id: &WorkspaceId, handshake: Handshake) -> Result<Tunnel, Fault> {
    open(platform, actor, id, (handshake, "/v1/exec", "workspace.exec")).await
}

async fn open(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    (handshake, target, operation): (Handshake, &str, &'static str),
) -> Result<Tunnel, Fault> {
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    opened.audit(operation, "", json!({})).await?;
    opened.tx.commit().await?;
    let request = Request::builder()
        .uri(target)
        .header("host", "attendant")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", handshake.key)
        .header("sec-websocket-version", handshake.version)
        .body(Empty::<bytes::Bytes>::new())
        .map_err(Fault::internal)?;
    let answer = send(platform, id, request).await?;
    let accept = answer.response.headers().get("sec-websocket-accept").cloned();
    let (StatusCode::SWITCHING_PROTOCOLS, Some(accept)) = (answer.response.status(), accept) else {
        return Err(lost(&"no upgrade"));
    };
    let inside = hyper::upgrade::on(answer.response).await.map_err(|error| lost(&error))?;
    Ok(Tunnel { accept, inside: TokioIo::new(inside), lease: answer.lease })
}

fn lost(error: &dyn std::fmt::Display) -> Fault {
    let message = "The workspace does not open this connection. Try again; if it stays, restart the workspace.";
    Fault::new(darter_core::Kind::Unavailable, "workspace.no_socket", message).retry_after(1).caused_by(error)
}
