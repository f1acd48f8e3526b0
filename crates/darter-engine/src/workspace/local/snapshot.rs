//! A home as a stream, made and taken inside by the attendant: nothing outside ever opens a path of a tenant's.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use darter_core::{Fault, Kind};
use futures_util::TryStreamExt;
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::{ReaderStream, StreamReader};

use super::Shared;
use super::attendant::Trouble;
use super::connect::Want;
use super::replace::no_room;
use super::unit::{HOME, Unit};
use super::workspace::Workspace;
use crate::workspace::{SnapshotIndex, SnapshotStream, WorkspaceLease};

/// Longest until a snapshot begins to come.
const HEAD: Duration = Duration::from_secs(60);
/// Longest that writing a home may take.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Largest answer to a restore.
const ANSWER: usize = 64 << 10;

impl Shared {
    /// The home as a stream. The workspace stays up for as long as the stream is held.
    pub(super) async fn export(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        since: Option<SnapshotIndex>,
    ) -> Result<SnapshotStream, Fault> {
        let known: Value = match since {
            Some(index) => serde_json::from_slice(&index).map_err(Fault::internal)?,
            None => json!([]),
        };
        self.homes.room().map_err(no_room)?;
        let (unit, lease, _) = self.lease(workspace, Want::Errand).await?;
        let body = json!({"root": HOME, "excludes": [], "known": known}).to_string();
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        let asked = tokio::time::timeout(HEAD, unit.attendant.send(Method::POST, "/v1/snapshot", body)).await;
        let response = asked.unwrap_or_else(|_| Err(Trouble::Silent("it took too long".into())));
        let response = response.map_err(|error| failed(&error))?;
        if !response.status().is_success() {
            return Err(failed(&Trouble::Silent(format!("{} for a snapshot", response.status()))));
        }
        let data = TryStreamExt::map_err(response.into_body().into_data_stream(), std::io::Error::other);
        Ok(SnapshotStream { bytes: Box::pin(StreamReader::new(data)), lease: Some(lease) })
    }

    /// Gives the attendant a stream to restore from.
    pub(super) async fn import(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        files: SnapshotStream,
    ) -> Result<(), Fault> {
        let (unit, lease, _) = self.lease(workspace, Want::Errand).await?;
        let written = write(&unit, files).await;
        drop(lease);
        written
    }
}

/// Gives an attendant a stream to restore from; it may take its time, but not for ever.
pub(super) async fn write(unit: &Unit, files: SnapshotStream) -> Result<(), Fault> {
    let written = tokio::time::timeout(LONGEST, send(unit, files)).await;
    written.unwrap_or_else(|_| Err(failed(&Trouble::Silent("it took longer than anything may".into()))))
}

async fn send(unit: &Unit, files: SnapshotStream) -> Result<(), Fault> {
    let held = Held { bytes: files.bytes, _lease: files.lease };
    let frames = ReaderStream::new(held).map_ok(Frame::data);
    let body = StreamBody::new(frames).boxed_unsync();
    let response = unit.attendant.send(Method::POST, "/v1/restore", body).await.map_err(|error| failed(&error))?;
    let status = response.status();
    let said = Limited::new(response.into_body(), ANSWER).collect().await;
    let said = said.map_err(|error| failed(&Trouble::Silent(error.to_string())))?.to_bytes();
    if status.is_success() {
        return Ok(());
    }
    let said: Value = serde_json::from_slice(&said).unwrap_or_default();
    let word = |name: &str| said["error"][name].as_str().map(|text| super::attendant::clamp(text, 300));
    Err(Fault::new(
        Kind::Unavailable,
        "snapshot.restore_failed",
        format!("The files could not be restored: {}", word("message").unwrap_or_default()),
    )
    .with("reason", word("code").unwrap_or_default()))
}

/// Holds the other workspace up while its files are read.
struct Held {
    bytes: Pin<Box<dyn AsyncRead + Send>>,
    _lease: Option<WorkspaceLease>,
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.bytes.as_mut().poll_read(cx, buf)
    }
}

fn failed(trouble: &Trouble) -> Fault {
    Fault::new(
        Kind::Unavailable,
        "snapshot.failed",
        "The workspace did not answer while its files were read or written. Try again.",
    )
    .caused_by(trouble)
    .retry_after(5)
}
