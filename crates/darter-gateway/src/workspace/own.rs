//! Addresses under `/.darter/` on a workspace's host: the door's, and what the editor's page asks of the platform.

use std::fmt::Write;
use std::sync::Arc;

use darter_core::workspace::Door;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::doors::{Signal, WorkspaceRoute};
use super::proof::Proof;
use super::{accepted, door, files, proxy};
use crate::context::Context;
use crate::page::Problem;
use crate::phase::upgrade::Upgrade;
use crate::reply::ReplyBody;
use crate::server::Inner;

/// No program inside ever sees a path below this.
pub(super) const PREFIX: &str = "/.darter/";
pub(super) const ENTER: &str = "/.darter/enter";
pub(super) const ENTERED: &str = "/.darter/entered";

/// What runs beside the editor in its page. It belongs to nobody, and changes with the server only.
const BESIDE: &str = "/.darter/page.js";
const BESIDE_TEXT: &str = include_str!("page.js");

/// The environment's files under the workspace's own origin, which frames and workers must be of.
const STATIC: &str = "/.darter/static/";

/// Longest time that one click keeps a workspace awake.
const MAX_KEEP: u32 = 24 * 60;

/// Answers for somebody who has been let in.
pub(super) async fn answer(
    inner: &Arc<Inner>,
    context: &Context,
    (route, proof): (&WorkspaceRoute, Proof),
    (request, upgrade): (Request<Incoming>, Option<Upgrade>),
) -> Result<Response<ReplyBody>, Problem> {
    let query = request.uri().query().unwrap_or_default();
    match (request.method().clone(), request.uri().path()) {
        (Method::GET, ENTERED) => Ok(door::entered(query)),
        (Method::GET, "/.darter/session") if upgrade.is_some() => {
            let way = proxy::Way { door: Door::Attendant, target: Some("/v1/session"), route, proof };
            proxy::forward(inner, context, way, (request, upgrade)).await
        }
        (Method::GET | Method::HEAD, path) if path.starts_with(STATIC) => {
            // The digest in the address is what makes it immutable; whatever is asked, this workspace's build answers.
            let file = path[STATIC.len()..]
                .split_once('/')
                .and_then(|(_, path)| route.front.file(&format!("/{path}"), accepted(request.headers())));
            let file =
                file.ok_or_else(|| Problem::new(404, "environment.file_not_found", "The editor has no such file."))?;
            files::send(&file, request.method()).await
        }
        (Method::GET, BESIDE) => Ok(beside()),
        (Method::GET, "/.darter/status") => Ok(json(inner.doors.status(&route.id).await?)),
        (Method::POST, "/.darter/activity") => {
            let seen = parameter(query, "seen").is_some();
            inner.doors.touch(&route.id, if seen { Signal::Seen } else { Signal::Input });
            let mut answer = Response::new(ReplyBody::whole(""));
            *answer.status_mut() = StatusCode::NO_CONTENT;
            Ok(answer)
        }
        (Method::POST, "/.darter/keep") => {
            let minutes = parameter(query, "minutes").and_then(|text| text.parse().ok()).unwrap_or(120);
            Ok(json(inner.doors.keep(&route.id, minutes.min(MAX_KEEP)).await?))
        }
        _ => Err(nothing()),
    }
}

/// The same on a port's host, where there is only the door.
pub(super) fn answer_of_port(request: &Request<Incoming>) -> Result<Response<ReplyBody>, Problem> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, ENTERED) => Ok(door::entered(request.uri().query().unwrap_or_default())),
        _ => Err(nothing()),
    }
}

fn nothing() -> Problem {
    Problem::new(404, "request.not_found", "Nothing lives under this address.")
}

fn beside() -> Response<ReplyBody> {
    let mut answer = Response::new(ReplyBody::whole(BESIDE_TEXT));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    answer
}

fn json(text: String) -> Response<ReplyBody> {
    let mut answer = Response::new(ReplyBody::whole(text));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A parameter of a query, decoded. The first of its name counts.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let pair = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })?;
    let bytes = pair.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                decoded.push(code);
                rest = &after[2..];
            }
            (byte, _) => {
                decoded.push(if *byte == b'+' { b' ' } else { *byte });
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// Text as a query's value.
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_comes_back_as_it_was_encoded() {
        for text in ["/", "/?folder=/home/user&x=1", "grün %41 +", "%", "%zz"] {
            assert_eq!(parameter(&format!("a=1&to={}&b", encode(text)), "to").as_deref(), Some(text));
        }
        assert_eq!(parameter("to=%zz%4", "to").as_deref(), Some("%zz%4"));
        assert_eq!(parameter("seen", "seen").as_deref(), Some(""));
        assert_eq!(parameter("to=%ff", "to"), None);
        assert_eq!(parameter("x=1", "to"), None);
    }
}
