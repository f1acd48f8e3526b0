//! Headers that browsers obey: what a page may load, who may frame it, what it says about where it came from.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use crate::console;

/// The headers of every answer.
#[derive(Debug, Clone)]
pub struct Shield {
    policy: Arc<HeaderValue>,
    https: bool,
}

/// For what is not a page: an answer that a browser shows by mistake may do nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

impl Shield {
    pub fn new(https: bool) -> Self {
        Self { policy: Arc::new(policy(&console::inline_scripts())), https }
    }
}

/// Scripts and styles of our own only; inline scripts of the built page by their digest. Styles are set inline by the
/// editor and by Svelte's transitions.
fn policy(scripts: &[String]) -> HeaderValue {
    let digests: String = scripts.iter().map(|digest| format!(" 'sha256-{digest}'")).collect();
    let text = format!(
        "default-src 'none'; script-src 'self'{digests}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; \
         connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(text).expect("base64 and constants are a header's letters")
}

/// Adds the headers.
pub async fn shield(State(shield): State<Shield>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let mut answer = next.run(request).await;
    let page = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, if page { (*shield.policy).clone() } else { NOTHING });
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    );
    if shield.https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if api && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}
