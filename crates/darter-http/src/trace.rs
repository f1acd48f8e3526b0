//! A request's id: the gateway's, or one made here. It is in the answer, in every error's body and in the log.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use darter_core::RequestId;
use darter_platform::Platform;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;

use crate::problem;

/// Where the id travels.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request that is being answered.
#[derive(Debug, Clone)]
pub struct RequestIdText(pub String);

/// Gives the request its id, and the answer too.
pub async fn trace(State(platform): State<Arc<Platform>>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    });
    let id = match given {
        Some(id) => id.to_owned(),
        None => RequestId::generate(platform.clock.now(), &*platform.random).to_string(),
    };
    request.extensions_mut().insert(RequestIdText(id.clone()));
    let span =
        tracing::info_span!("http.request", request_id = %id, method = %request.method(), path = request.uri().path());
    let answer = next.run(request).instrument(span.clone()).await;
    let mut answer = span.in_scope(|| problem::finish(answer, &id));
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer
}
