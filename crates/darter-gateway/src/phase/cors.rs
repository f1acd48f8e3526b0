//! Phase 3: browsers on other sites may call an app, as they may in Laf: the origin is reflected, with credentials.
//! Apps are on a site of their own, so this opens nothing of the console.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::reply::ReplyBody;

/// What a browser asked for.
#[derive(Debug)]
pub(crate) struct Cors {
    origin: Option<HeaderValue>,
}

impl Cors {
    pub fn of<B>(request: &Request<B>) -> Self {
        Self { origin: request.headers().get(ORIGIN).cloned() }
    }

    /// The answer to a preflight; functions never see one.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response<ReplyBody>> {
        let headers = request.headers();
        let asked = request.method() == Method::OPTIONS
            && self.origin.is_some()
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asked {
            return None;
        }
        let mut answer = Response::new(ReplyBody::whole(""));
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let out = answer.headers_mut();
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,HEAD,PUT,POST,DELETE,PATCH"));
        out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            out.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            out.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
        }
        out.remove(CONTENT_LENGTH);
        Some(answer)
    }

    /// Opens an answer to the page that asked. What the function says itself stays.
    pub fn open(&self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = &self.origin else { return };
        if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if !headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS) {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        }
    }
}
