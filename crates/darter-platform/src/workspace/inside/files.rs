//! Files of a workspace: read, written, listed, moved from outside. The host never opens a path of a tenant's: all of it
//! is done inside, by the attendant, with no more rights than the tenant's own shell.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use darter_api::workspace as api;
use darter_core::role::{Action, TokenScope};
use darter_core::{Fault, WorkspaceId};
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::attendant::{Answer, json, send, send_moving};
use crate::workspace::access::Opened;
use crate::{Actor, Platform};

/// Silence in the middle of a file for longer than this ends it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest path.
const PATH_LIMIT: usize = 4_096;

/// Bytes as they come.
pub type Bytes = Pin<Box<dyn Stream<Item = std::io::Result<bytes::Bytes>> + Send>>;

/// What is being read.
pub struct Content {
    pub bytes: Bytes,
    /// Unknown of an archive.
    pub length: Option<u64>,
    /// The last part of the path, for whoever saves it.
    pub name: String,
    /// Changes with the content: an `ETag`, for whoever writes the file later.
    pub tag: Option<String>,
}

fn target(operation: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/v1/{operation}?{query}")
}

fn request<B>(method: &str, target: &str, body: B) -> Result<Request<B>, Fault> {
    let request = Request::builder().method(method).uri(target).header("host", "attendant");
    request.body(body).map_err(Fault::internal)
}

/// Is there any of these paths? For the door, which has let somebody in already; wakes the workspace.
pub async fn has_any(platform: &Platform, id: &WorkspaceId, paths: &[String]) -> Result<bool, Fault> {
    for path in paths {
        let asked = request("GET", &target("stat", &[("path", path)]), Empty::<bytes::Bytes>::new())?;
        match send(platform, id, asked).await {
            Ok(_) => return Ok(true),
            Err(fault) if fault.code == "file.not_found" => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(false)
}

/// Whoever enters may read and write: a shell could do it too. What only reads needs a credential that only reads.
async fn opened(platform: &Platform, actor: &Actor, id: &WorkspaceId, scope: TokenScope) -> Result<(), Fault> {
    Opened::read_as(platform, actor, id, (Action::Edit, scope)).await.map(|_| ())
}

fn checked(path: &str) -> Result<&str, Fault> {
    let plain = path.starts_with('/') && path.len() <= PATH_LIMIT && !path.contains('\0');
    let message = "A path in a workspace is absolute, such as /home/user/notes.txt, and has at most 4096 bytes.";
    if plain { Ok(path) } else { Err(Fault::invalid("file.path_invalid", message)) }
}

fn last_part(path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "workspace".to_owned() } else { name.to_owned() }
}

/// An entity tag as they look, of some length at most.
fn is_tag(text: &str) -> bool {
    text.len() <= 128 && text.starts_with('"') && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn content(answer: Answer, name: String) -> Content {
    let Answer { response, lease } = answer;
    let tag =
        response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| is_tag(tag)).map(str::to_owned);
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = stream::unfold((response.into_body(), Some(lease)), |(mut body, lease)| async move {
        // The lease lives as long as something is read.
        let lease = lease?;
        loop {
            let item = match tokio::time::timeout(PATIENCE, body.frame()).await {
                Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut)),
                Ok(None) => return None,
                Ok(Some(Err(error))) => Err(std::io::Error::other(error)),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
            };
            let rest = item.is_ok().then_some(lease);
            return Some((item, (body, rest)));
        }
    });
    // What compresses an answer asks once more after its end.
    Content { bytes: bytes.fuse().boxed(), length, name, tag }
}

/// A file's bytes.
pub async fn read(platform: &Platform, actor: &Actor, id: &WorkspaceId, path: &str) -> Result<Content, Fault> {
    opened(platform, actor, id, TokenScope::Read).await?;
    let target = target("files", &[("path", checked(path)?)]);
    let answer = send(platform, id, request("GET", &target, Empty::new())?).await?;
    Ok(content(answer, last_part(path)))
}

/// A folder as an archive: `tar.gz` or `zip`.
pub async fn archive(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    (path, format): (&str, &str),
) -> Result<Content, Fault> {
    opened(platform, actor, id, TokenScope::Read).await?;
    if !matches!(format, "tar.gz" | "zip") {
        return Err(Fault::invalid("file.format_unknown", "An archive is a tar.gz or a zip. Choose one of them."));
    }
    let target = target("archive", &[("path", checked(path)?), ("format", format)]);
    let answer = send(platform, id, request("GET", &target, Empty::new())?).await?;
    Ok(content(answer, format!("{}.{format}", last_part(path))))
}

/// What is in a folder.
pub async fn list(platform: &Platform, actor: &Actor, id: &WorkspaceId, path: &str) -> Result<api::FolderList, Fault> {
    opened(platform, actor, id, TokenScope::Read).await?;
    let target = target("list", &[("path", checked(path)?)]);
    json(send(platform, id, request("GET", &target, Empty::new())?).await?).await
}

/// Where uploaded bytes go.
#[derive(Debug, Clone)]
pub struct Write<'a> {
    pub path: &'a str,
    /// Octal; 644 unless told.
    pub mode: Option<&'a str>,
    /// Only if the file is still as it was when this was its tag.
    pub expected: Option<&'a str>,
}

#[derive(Deserialize)]
struct Written {
    etag: Option<String>,
}

/// What is uploaded, and a count of what has been taken of it.
fn body_of(bytes: Bytes) -> (StreamBody<impl Stream<Item = std::io::Result<Frame<bytes::Bytes>>>>, Arc<AtomicU64>) {
    let moved = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&moved);
    let counted = bytes.map(move |chunk| {
        count.fetch_add(1, Ordering::Relaxed);
        chunk.map(Frame::data)
    });
    (StreamBody::new(counted), moved)
}

/// Writes a file, whole or not at all. Its new tag.
pub async fn write(
    platform: &Platform,
    actor: &Actor,
    (id, to): (&WorkspaceId, Write<'_>),
    bytes: Bytes,
) -> Result<Option<String>, Fault> {
    opened(platform, actor, id, TokenScope::Write).await?;
    let mode = to.mode.map(|mode| ("mode", mode));
    let pairs: Vec<_> = [("path", checked(to.path)?)].into_iter().chain(mode).collect();
    let (body, moved) = body_of(bytes);
    let mut request = request("PUT", &target("files", &pairs), body)?;
    if let Some(tag) = to.expected {
        let message = "If-Match takes the ETag that reading the file answered.";
        let tag = Some(tag).filter(|tag| is_tag(tag)).and_then(|tag| HeaderValue::from_str(tag).ok());
        request.headers_mut().insert(IF_MATCH, tag.ok_or_else(|| Fault::invalid("request.if_match_invalid", message))?);
    }
    let written: Written = json(send_moving(platform, id, request, &moved).await?).await?;
    Ok(written.etag.filter(|tag| is_tag(tag)))
}

/// Unpacks an archive into a folder.
pub async fn unpack(
    platform: &Platform,
    actor: &Actor,
    (id, path): (&WorkspaceId, &str),
    bytes: Bytes,
) -> Result<(), Fault> {
    opened(platform, actor, id, TokenScope::Write).await?;
    let target = target("archive", &[("path", checked(path)?)]);
    let (body, moved) = body_of(bytes);
    send_moving(platform, id, request("POST", &target, body)?, &moved).await.map(|_| ())
}

/// Makes, moves, copies or deletes.
pub async fn change(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    input: &api::FileChange,
) -> Result<(), Fault> {
    opened(platform, actor, id, TokenScope::Write).await?;
    let (operation, body) = match input {
        api::FileChange::Mkdir { path } => ("mkdir", json!({ "path": checked(path)? })),
        api::FileChange::Delete { path, recursive } => {
            ("delete", json!({ "path": checked(path)?, "recursive": recursive }))
        }
        api::FileChange::Rename { from, to, overwrite } => {
            ("rename", json!({ "from": checked(from)?, "to": checked(to)?, "overwrite": overwrite }))
        }
        api::FileChange::Copy { from, to, overwrite } => {
            ("copy", json!({ "from": checked(from)?, "to": checked(to)?, "overwrite": overwrite }))
        }
    };
    let mut request = request("POST", &format!("/v1/{operation}"), Full::new(bytes::Bytes::from(body.to_string())))?;
    request.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    send(platform, id, request).await.map(|_| ())
}
