//! HTTP/1.1 with a workspace's attendant (`docs/reference/attendant.md`). One connection a request: it is as cheap as a
//! socket pair, and nobody waits behind somebody else's download.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use darter_core::workspace::Door;
use darter_core::{Fault, Kind, WorkspaceId};
use darter_engine::workspace::WorkspaceLease;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Platform;

/// Longest JSON answer.
const JSON_LIMIT: usize = 4 << 20;
/// Longest fault.
const FAULT_LIMIT: usize = 64 << 10;
/// How long the head of an answer may take. A change of a large folder takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// An answer and what keeps the workspace awake while it is read.
pub(super) struct Answer {
    pub response: Response<Incoming>,
    pub lease: WorkspaceLease,
}

#[derive(Deserialize)]
struct Said {
    error: Code,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// Sends a request; starts the workspace's attendant when it sleeps. What is no success is a fault in our words.
pub(super) async fn send<B>(platform: &Platform, id: &WorkspaceId, request: Request<B>) -> Result<Answer, Fault>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    send_moving(platform, id, request, &AtomicU64::new(0)).await
}

/// The same with a body that takes its time: `moved` counts what has been taken of it.
pub(super) async fn send_moving<B>(
    platform: &Platform,
    id: &WorkspaceId,
    request: Request<B>,
    moved: &AtomicU64,
) -> Result<Answer, Fault>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = platform.workspaces.engine.connect(id, Door::Attendant).await?;
    let (mut sender, driver) =
        hyper::client::conn::http1::Builder::new().handshake(TokioIo::new(connection.stream)).await.map_err(lost)?;
    // Ends with its connection.
    tokio::spawn(driver.with_upgrades());
    let asked = while_it_moves(sender.send_request(request), moved).await;
    let response = asked.ok_or_else(silent)?.map_err(lost)?;
    if response.status().is_success() || response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answer { response, lease: connection.lease });
    }
    Err(refused(response).await)
}

/// Waits for as long as something moves. `None`: nothing has for [`PATIENCE`].
async fn while_it_moves<T>(work: impl Future<Output = T>, moved: &AtomicU64) -> Option<T> {
    tokio::pin!(work);
    loop {
        let before = moved.load(Ordering::Relaxed);
        match tokio::time::timeout(PATIENCE, &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if moved.load(Ordering::Relaxed) == before => return None,
            Err(_) => {}
        }
    }
}

/// The whole of a JSON answer.
pub(super) async fn json<T: DeserializeOwned>(answer: Answer) -> Result<T, Fault> {
    let read = Limited::new(answer.response.into_body(), JSON_LIMIT).collect();
    let bytes = tokio::time::timeout(PATIENCE, read).await.map_err(|_| silent())?;
    let bytes = bytes.map_err(|error| lost(error.as_ref()))?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| lost(&error))
}

fn lost(error: impl std::fmt::Display) -> Fault {
    let message = "The workspace ended the connection in the middle. Try again; if it stays, restart the workspace.";
    Fault::new(Kind::Unavailable, "workspace.connection_lost", message).retry_after(1).caused_by(error)
}

fn silent() -> Fault {
    let message = "The workspace does not answer. It may be busy; try again, or restart it.";
    Fault::new(Kind::Timeout, "workspace.silent", message)
}

/// A fault of the attendant's: only its code is taken, and only one that we know.
async fn refused(response: Response<Incoming>) -> Fault {
    let read = tokio::time::timeout(PATIENCE, Limited::new(response.into_body(), FAULT_LIMIT).collect()).await;
    let bytes = read.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
    let code = serde_json::from_slice::<Said>(&bytes).map(|said| said.error.code).unwrap_or_default();
    known(&code)
}

fn known(code: &str) -> Fault {
    match code {
        "file.not_found" => {
            Fault::not_found("file.not_found", "There is no file or folder at this path. Check the path.")
        }
        "file.exists" => Fault::conflict(
            "file.exists",
            "There is something at this path already. Choose another name, or overwrite it.",
        ),
        "file.changed" => Fault::conflict(
            "file.changed",
            "This file was changed since it was read. Read it again, and decide which of the two to keep.",
        ),
        "file.not_a_directory" => {
            Fault::conflict("file.not_a_directory", "A part of this path is a file, not a folder. Check the path.")
        }
        "file.is_a_directory" => {
            Fault::conflict("file.is_a_directory", "This is a folder, not a file. Ask for it as an archive.")
        }
        "file.not_empty" => {
            Fault::conflict("file.not_empty", "This folder is not empty. Delete what is in it too, or say so.")
        }
        "file.permission" => Fault::forbidden(
            "file.permission",
            "The workspace's user may not do this with this file. Change its mode in a terminal.",
        ),
        "file.no_space" => Fault::new(
            Kind::TooLarge,
            "file.no_space",
            "The workspace's disk is full. Delete something in it, or give it more room in its settings.",
        ),
        "file.too_large" => Fault::new(
            Kind::TooLarge,
            "file.too_large",
            "This file is larger than can be taken here. Send it in parts, or as an archive.",
        ),
        "program.not_found" => {
            Fault::not_found("program.not_found", "There is no such program in the workspace. Check its name.")
        }
        "request.invalid" => Fault::invalid(
            "file.request_invalid",
            "The workspace does not take this request. Paths are absolute, and modes octal.",
        ),
        _ => Fault::new(
            Kind::Unavailable,
            "workspace.refused",
            "The workspace refused this, and did not say why. Try again; if it stays, restart it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upload_may_take_its_time_as_long_as_it_moves() {
        let moved = AtomicU64::new(0);
        let slow = async {
            for _ in 0..10 {
                tokio::time::sleep(PATIENCE * 2 / 3).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
        };
        assert_eq!(while_it_moves(slow, &moved).await, Some(()));
        assert_eq!(while_it_moves(std::future::pending::<()>(), &moved).await, None);
    }
}
