//! What handlers take out of a request, each with a clear answer when it is not there. Bodies have a limit.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::IntoResponse;
use bytes::Bytes;
use darter_core::role::TokenScope;
use darter_core::{Fault, Kind};
use darter_platform::{Actor, Platform};
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::identify::socket_is_meant;
use crate::problem::Problem;
use crate::room;

/// Largest JSON body. The largest source (512 KiB) fits with all its line ends escaped.
pub const JSON_LIMIT: usize = 2 << 20;
/// Largest body of somebody who is not signed in: a sign-up has a few hundred bytes.
const STRANGER_LIMIT: usize = 16 << 10;
/// How long a body may take, and for each so many bytes a second more.
const PATIENCE: Duration = Duration::from_secs(30);
const BYTES_A_SECOND: usize = 256 << 10;

/// The platform.
pub struct Server(pub Arc<Platform>);

impl FromRequestParts<Arc<Platform>> for Server {
    type Rejection = Problem;
    async fn from_request_parts(_: &mut Parts, platform: &Arc<Platform>) -> Result<Self, Problem> {
        Ok(Self(Arc::clone(platform)))
    }
}

/// Who asks.
pub struct Caller(pub Actor);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let actor = parts.extensions.get::<Actor>().cloned();
        Ok(Self(actor.ok_or_else(|| Fault::internal("a route is outside the layer that says who asks"))?))
    }
}

/// Parts of the path, percent-decoded.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(Problem(Fault::invalid("request.path_invalid", misfit(error.kind()))))
            }
            Err(error) => Err(Problem(Fault::internal(error))),
        }
    }
}

/// Which part of a path is not what belongs there, and what does. An id says itself what it looks like.
fn misfit(kind: &ErrorKind) -> String {
    let (value, why) = match kind {
        ErrorKind::DeserializeError { value, message, .. } => (value.as_str(), said(message).to_owned()),
        ErrorKind::ParseError { value, expected_type }
        | ErrorKind::ParseErrorAtKey { value, expected_type, .. }
        | ErrorKind::ParseErrorAtIndex { value, expected_type, .. } => {
            (value.as_str(), format!("A number of the kind {expected_type} belongs there."))
        }
        ErrorKind::Message(message) => ("", said(message).to_owned()),
        other => ("", format!("{other}.")),
    };
    let shown: String = value.chars().take(64).collect();
    let part = if shown.is_empty() { String::new() } else { format!(" \u{201c}{shown}\u{201d}") };
    format!("A part of the address does not fit{part}. {why}")
}

/// The words of a fault without its code in front.
fn said(text: &str) -> &str {
    let is_code =
        |code: &str| code.contains('.') && code.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
    match text.split_once(": ") {
        Some((code, words)) if is_code(code) => words,
        _ => text,
    }
}

/// The query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => {
                let message =
                    format!("The query is not what belongs there: {}. Check its names and values.", error.body_text());
                Err(Problem(Fault::invalid("request.query_invalid", message)))
            }
        }
    }
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = kind_of(&request);
        let bytes = read(request, JSON_LIMIT).await?;
        // No body at all is an empty object: every field may have a default.
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if kind != "application/json" {
            return Err(Problem(wrong_kind("application/json")));
        }
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message =
            format!("The body is not the JSON that belongs here: {error}. Compare it with /api/openapi.json.");
        let fault = Fault::invalid("request.body_invalid", message);
        Problem(fault.with("line", error.line()).with("column", error.column()))
    })
}

/// The media type of the body, without parameters.
pub fn kind_of(request: &Request) -> String {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The answer to a body of another media type.
pub fn wrong_kind(expected: &'static str) -> Fault {
    Fault::invalid("request.content_type", format!("The body must be sent as Content-Type: {expected}."))
        .with("expected", expected)
}

/// The whole body, when it is not larger than the limit and arrives in time. Somebody who is not signed in may send little;
/// of everybody else's bodies only so much is held at once.
pub async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let length = request
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let account = request.extensions().get::<Actor>().and_then(Actor::person).map(|person| person.account.clone());
    let limit = if account.is_some() { limit } else { limit.min(STRANGER_LIMIT) };
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let most = length.unwrap_or(limit);
    let place = account.map(|account| room::take(&account, most)).transpose()?;
    let patience = PATIENCE + Duration::from_secs((most / BYTES_A_SECOND) as u64);
    let bytes = match tokio::time::timeout(patience, to_bytes(request.into_body(), limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(broken(error, limit)),
        Err(_) => {
            let message = "The body did not arrive in time. Send the request again over a faster connection.";
            return Err(Problem(Fault::invalid("request.body_incomplete", message)));
        }
    };
    Ok(match place {
        Some(place) => place.keep(bytes),
        None => bytes,
    })
}

fn too_large(limit: usize) -> Problem {
    let message = format!("The body is larger than {limit} bytes, which is the most that is taken here. Send less.");
    Problem(Fault::new(Kind::TooLarge, "request.too_large", message).with("limit", limit))
}

fn broken(error: axum::Error, limit: usize) -> Problem {
    if std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
        return too_large(limit);
    }
    let message = "The body ended before it was complete. Send the request again.";
    Problem(Fault::invalid("request.body_incomplete", message).caused_by(error))
}

/// Says so before a file is read of somebody who is not.
fn signed_in(request: &Request) -> Result<(), Problem> {
    match request.extensions().get::<Actor>() {
        Some(actor) if actor.person().is_none() => Ok(actor.require(TokenScope::Read).map(drop)?),
        Some(_) | None => Ok(()),
    }
}

/// An exported app.
pub struct ZipFile(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for ZipFile {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if kind_of(&request) != "application/zip" {
            return Err(Problem(wrong_kind("application/zip")));
        }
        signed_in(&request)?;
        // One byte more than is taken: the use case says it in its own words.
        Ok(Self(read(request, darter_platform::app::ARCHIVE_LIMIT + 1).await?))
    }
}

/// An uploaded picture.
pub struct Picture(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Picture {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = kind_of(&request);
        if !kind.starts_with("image/") && kind != "application/octet-stream" {
            return Err(Problem(wrong_kind("image/png, image/jpeg, image/webp or image/gif")));
        }
        signed_in(&request)?;
        Ok(Self(read(request, darter_platform::account::UPLOAD_LIMIT).await?))
    }
}

/// The revision that a change expects, when it says one.
pub struct IfMatch(pub Option<i64>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"').parse();
        let message = "If-Match must hold the ETag that the object was read with, such as \"7\".";
        number
            .map(|number| Self(Some(number)))
            .map_err(|_| Problem(Fault::invalid("request.if_match_invalid", message)))
    }
}

/// For changes that must say which revision they expect.
pub fn needed(IfMatch(expected): IfMatch) -> Result<i64, Problem> {
    let message = "This change needs If-Match with the ETag that the object was read with, so that nobody's work is overwritten unseen. Read it, then change it.";
    expected.ok_or_else(|| Problem(Fault::invalid("request.if_match_needed", message)))
}

/// An answer with its revision as `ETag`.
pub fn tagged(revision: i64, answer: impl IntoResponse) -> impl IntoResponse {
    ([(ETAG, format!("\"{revision}\""))], answer)
}

/// Proof that a WebSocket is opened by our own pages, or with a token.
pub struct SameOrigin;

impl FromRequestParts<Arc<Platform>> for SameOrigin {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, platform: &Arc<Platform>) -> Result<Self, Problem> {
        socket_is_meant(&parts.headers, &parts.uri, platform.config.https())?;
        Ok(Self)
    }
}
