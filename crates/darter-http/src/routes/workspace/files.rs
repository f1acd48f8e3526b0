//! Files of a workspace: `/workspaces/{workspace}/files`, folders as archives, lists. Bytes pass through as they come;
//! nothing of a tenant's is ever shown by a browser on the console's own site.

use axum::Json;
use axum::body::Body as AxumBody;
use axum::extract::Request;
use axum::response::Response;
use darter_api::workspace::{FileChange, FolderList};
use darter_core::WorkspaceId;
use darter_platform::workspace::inside::{self, Bytes, Content};
use futures_util::StreamExt;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// Which file or folder.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// Absolute, such as `/home/user/notes.txt`.
    path: String,
    /// Of a file that is written: octal, 644 unless told.
    mode: Option<String>,
    /// Of an archive: `tar.gz` (unless told) or `zip`.
    format: Option<String>,
}

/// Bytes of a tenant's, for a browser to save and never to show.
pub(super) fn download(content: Content) -> Response {
    let mut answer = Response::new(AxumBody::from_stream(content.bytes));
    let plain = |letter: char| letter.is_ascii_graphic() && !"\"\\%".contains(letter);
    let ascii: String = content.name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let whole: String = content.name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let saved = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}");
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(saved) = HeaderValue::try_from(saved) {
        headers.insert(CONTENT_DISPOSITION, saved);
    }
    headers.extend(content.tag.and_then(|tag| HeaderValue::try_from(tag).ok()).map(|tag| (ETAG, tag)));
    if let Some(length) = content.length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    answer
}

fn upload(request: Request) -> Bytes {
    request.into_body().into_data_stream().map(|chunk| chunk.map_err(std::io::Error::other)).boxed()
}

/// A file's bytes.
#[utoipa::path(get, path = "/workspaces/{workspace}/files", tag = "files", operation_id = "file.read",
    params(("workspace" = String, Path), FileQuery),
    responses((status = 200, description = "The bytes; `ETag` is for a later write", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn read(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(query): Query<FileQuery>,
) -> Result<Response, Problem> {
    Ok(download(inside::read(&platform, &actor, &id, &query.path).await?))
}

/// Writes a file, whole or not at all. With `If-Match`, only if nobody else changed it since it was read.
#[utoipa::path(put, path = "/workspaces/{workspace}/files", tag = "files", operation_id = "file.write",
    params(("workspace" = String, Path), ("If-Match" = Option<String>, Header), FileQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "It is on disk; `ETag` is its new one")))]
pub async fn write(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(query): Query<FileQuery>,
    request: Request,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let expected = request.headers().get(IF_MATCH).map(|tag| String::from_utf8_lossy(tag.as_bytes()).into_owned());
    let to = inside::Write { path: &query.path, mode: query.mode.as_deref(), expected: expected.as_deref() };
    let tag = inside::write(&platform, &actor, (&id, to), upload(request)).await?;
    let tag = tag.and_then(|tag| HeaderValue::try_from(tag).ok()).map(|tag| (ETAG, tag));
    Ok((StatusCode::NO_CONTENT, tag.into_iter().collect()))
}

/// Makes a folder, or moves, copies or deletes what is at a path.
#[utoipa::path(post, path = "/workspaces/{workspace}/files", tag = "files", operation_id = "file.change", request_body = FileChange,
    params(("workspace" = String, Path)), responses((status = 204, description = "It is done")))]
pub async fn change(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Body(input): Body<FileChange>,
) -> Result<StatusCode, Problem> {
    inside::change(&platform, &actor, &id, &input).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is in a folder.
#[utoipa::path(get, path = "/workspaces/{workspace}/folder", tag = "files", operation_id = "file.list",
    params(("workspace" = String, Path), FileQuery),
    responses((status = 200, description = "At most 10,000 entries", body = FolderList)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(query): Query<FileQuery>,
) -> Result<Json<FolderList>, Problem> {
    Ok(Json(inside::list(&platform, &actor, &id, &query.path).await?))
}

/// A folder as an archive.
#[utoipa::path(get, path = "/workspaces/{workspace}/archive", tag = "files", operation_id = "file.archive",
    params(("workspace" = String, Path), FileQuery),
    responses((status = 200, description = "A tar.gz or a zip", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn archive(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(query): Query<FileQuery>,
) -> Result<Response, Problem> {
    let format = query.format.as_deref().unwrap_or("tar.gz");
    Ok(download(inside::archive(&platform, &actor, &id, (&query.path, format)).await?))
}

/// Unpacks a tar, tar.gz or zip into a folder.
#[utoipa::path(put, path = "/workspaces/{workspace}/archive", tag = "files", operation_id = "file.unpack",
    params(("workspace" = String, Path), FileQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "Everything is on disk")))]
pub async fn unpack(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<WorkspaceId>,
    Query(query): Query<FileQuery>,
    request: Request,
) -> Result<StatusCode, Problem> {
    inside::unpack(&platform, &actor, (&id, &query.path), upload(request)).await?;
    Ok(StatusCode::NO_CONTENT)
}
