//! The private readers behind [`crate::hostile`].

use std::time::Instant;

use http::{HeaderMap, HeaderValue, Uri};

use super::{answer, headers, identify, route};
use crate::context::{Context, Wants};

/// Reads a target.
pub(crate) fn address(target: &str) {
    if let Ok(uri) = target.parse::<Uri>() {
        route::address(&uri);
    }
}

/// Reads a host.
pub(crate) fn host_name(authority: &HeaderValue) -> String {
    identify::host_name(authority)
}

/// Reads what a client wants to see.
pub(crate) fn wants(headers: &HeaderMap) {
    identify::wants(headers);
}

/// Takes a request's headers to a function.
pub(crate) fn forward(given: &mut HeaderMap, authority: HeaderValue) {
    let context = Context {
        request_id: HeaderValue::from_static("req_1"),
        client: std::net::Ipv4Addr::new(192, 0, 2, 1).into(),
        client_text: "192.0.2.1".into(),
        proxy: None,
        https: false,
        host: host_name(&authority),
        authority,
        began: Instant::now(),
        time: 0,
        wants: Wants { html: false, chinese: false },
    };
    // Taken off before, where it is read.
    given.remove(super::DARTER_TOKEN);
    headers::forward(given, &context, false);
}

/// Takes an answer's headers to a client.
pub(crate) fn clean(given: &mut HeaderMap, apps_domain: &str) {
    answer::clean(given, apps_domain);
}
