//! Faults as answers: one shape, one place that logs them.
//!
//! A handler's [`Problem`] travels as an extension of an empty answer; [`finish`] writes the body when the request's id is
//! known. A cause goes to the log and never into an answer.

use std::any::Any;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use darter_api::error::{ErrorBody, ErrorDetail};
use darter_core::{Fault, Kind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

/// A fault on its way out.
#[derive(Debug, Clone)]
pub struct Problem(pub Fault);

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::from_u16(self.0.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        answer.extensions_mut().insert(self);
        answer
    }
}

/// Writes a fault's body, and logs it: once, here.
pub fn finish(mut answer: Response, request_id: &str) -> Response {
    let Some(Problem(fault)) = answer.extensions_mut().remove::<Problem>() else { return answer };
    log(&fault);
    let mut details = serde_json::Map::new();
    details.extend(fault.details.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let detail =
        ErrorDetail { code: fault.code.to_owned(), message: fault.message, details, request_id: request_id.to_owned() };
    let body = serde_json::to_vec(&ErrorBody { error: detail }).unwrap_or_default();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = fault.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if fault.kind == Kind::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    *answer.body_mut() = Body::from(body);
    answer
}

fn log(fault: &Fault) {
    let (code, cause) = (fault.code, fault.cause.as_deref());
    match fault.kind {
        Kind::Internal => tracing::error!(code, cause, "a request failed"),
        Kind::Unavailable | Kind::Timeout if cause.is_some() => {
            tracing::warn!(code, cause, "a request could not be served")
        }
        Kind::Unavailable
        | Kind::Timeout
        | Kind::Invalid
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Conflict
        | Kind::Stale
        | Kind::TooLarge
        | Kind::RateLimited => tracing::debug!(code, cause, "a request was refused"),
    }
}

/// A handler that panicked: our mistake.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem(Fault::internal(format!("a handler panicked: {}", text.unwrap_or("no message")))).into_response()
}
