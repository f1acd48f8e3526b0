//! The private readers of the door behind [`crate::hostile`].

use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method};

use super::doors::Spot;
use super::{address, cookie, door, guard, own};
use crate::context::{Context, Wants};

/// Reads a label; what it means does not change by what stands before it.
pub(crate) fn label(text: &str) {
    if let Some(spot) = address::spot(text) {
        assert_eq!(address::spot(&format!("x-{}", spot.id)).map(|again| again.id), Some(spot.id));
    }
}

/// Reads a parameter, and writes it so that it is read as the same again.
pub(crate) fn query(text: &str) {
    if let Some(value) = own::parameter(text, "to") {
        let again = format!("to={}", own::encode(&value));
        assert_eq!(own::parameter(&again, "to"), Some(value));
    }
}

/// Where a browser is sent.
pub(crate) fn way_back(to: &str) -> String {
    door::local(to)
}

/// Takes what is ours out.
pub(crate) fn strip(headers: &mut HeaderMap) {
    cookie::strip(headers);
}

/// Would a WebSocket with these headers be opened?
pub(crate) fn is_meant(headers: &HeaderMap) -> bool {
    let context = Context {
        request_id: HeaderValue::from_static("r"),
        client: [127, 0, 0, 1].into(),
        client_text: "127.0.0.1".into(),
        proxy: None,
        https: false,
        host: "ada-abcdefghjk.apps.localhost".into(),
        authority: HeaderValue::from_static("ada-abcdefghjk.apps.localhost:7070"),
        began: Instant::now(),
        time: 0,
        wants: Wants { html: true, chinese: false },
    };
    let Ok(id) = "abcdefghjk".parse() else { return false };
    let spot = Spot { id, port: None };
    guard::meant(&spot, "apps.localhost", &context, (&Method::GET, headers, true)).is_ok()
}
