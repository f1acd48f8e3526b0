//! Files of an environment, which every tenant may read: served from the shared install, compressed ahead, kept by
//! browsers for ever. The shared host `assets.<apps domain>` needs no door: nothing there belongs to anybody.

use std::sync::Arc;

use futures_util::TryStreamExt;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::accepted;
use super::address::ASSETS;
use super::doors::StaticFile;
use crate::context::Context;
use crate::page::{self, Problem};
use crate::reply::ReplyBody;
use crate::server::Inner;

/// What is read at once.
const PIECE: usize = 64 << 10;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The folder of an environment's files on the shared host.
pub(super) fn address(inner: &Inner, context: &Context, digest: &str) -> String {
    let scheme = if context.https { "https" } else { "http" };
    let port = context.authority.to_str().ok().and_then(|authority| authority.rsplit_once(':'));
    let port = port.map(|(_, port)| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{ASSETS}.{}{port}/{digest}", inner.config.apps_domain)
}

/// Everything that the shared host is asked: `/<digest>/<path>`.
pub(crate) async fn assets(inner: &Arc<Inner>, context: &Context, request: &Request<Incoming>) -> Response<ReplyBody> {
    let found = find(inner, request)
        .ok_or_else(|| Problem::new(404, "environment.file_not_found", "No installed environment has this file."));
    let sent = match found {
        Ok(file) => send(&file, request.method()).await,
        Err(problem) => Err(problem),
    };
    let mut answer = sent.unwrap_or_else(|problem| page::render(&problem, context));
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    answer
}

fn find(inner: &Inner, request: &Request<Incoming>) -> Option<StaticFile> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let (digest, _) = request.uri().path().strip_prefix('/')?.split_once('/')?;
    let path = &request.uri().path()[1 + digest.len()..];
    inner.doors.assets(digest)?.file(path, accepted(request.headers()))
}

/// Sends a file, piece by piece: however many read it, and however slowly, no more of it is in memory than they take.
pub(super) async fn send(file: &StaticFile, method: &Method) -> Result<Response<ReplyBody>, Problem> {
    let opened = async {
        let opened = tokio::fs::File::open(&file.path).await?;
        let length = opened.metadata().await?.len();
        std::io::Result::Ok((opened, length))
    };
    let (opened, length) = opened.await.map_err(|error| {
        tracing::error!(path = %file.path.display(), %error, "a file of an environment cannot be read; verify or reinstall it");
        Problem::new(
            500,
            "environment.broken",
            "A file of the editor cannot be read on the server. Its operator can mend that with `darter env verify`.",
        )
    })?;
    let body = match *method {
        Method::HEAD => ReplyBody::whole(""),
        _ => {
            // What is appended meanwhile is not part of what was announced.
            let pieces = ReaderStream::with_capacity(opened.take(length), PIECE);
            let frames = pieces.map_ok(Frame::data).map_err(Into::into);
            ReplyBody::console(BodyExt::boxed_unsync(StreamBody::new(frames)))
        }
    };
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let cache = if file.immutable { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Some(encoding) = file.content_encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Ok(answer)
}
