//! Phase 1: who asks for which host, and under which number the request goes through the house.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use darter_core::RequestId;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use crate::connection::MAX_HEADERS;
use crate::context::{Context, Peer, Wants};
use crate::page::Problem;
use crate::server::Inner;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;
/// Addresses in `x-forwarded-for` that are looked at.
const MAX_HOPS: usize = 32;

/// Reads what every later phase needs. The problem is for requests that no host can answer.
pub(crate) fn identify<B>(inner: &Inner, peer: &Peer, request: &Request<B>) -> (Context, Result<(), Problem>) {
    let headers = request.headers();
    let trusted = trusts(inner, peer.address);
    let (client, client_text) = client(inner, peer, headers, trusted);
    let host = authority(request);
    let time = inner.clock.now();
    let context = Context {
        request_id: request_id(inner, headers, time),
        client,
        client_text,
        proxy: trusted.then(|| Arc::clone(&peer.text)),
        https: https(inner, peer, headers, trusted),
        host: host.as_ref().map(host_name).unwrap_or_default(),
        authority: host.clone().unwrap_or(HeaderValue::from_static("")),
        began: Instant::now(),
        time,
        wants: wants(headers),
    };
    let problem = check(request, !context.host.is_empty());
    (context, problem)
}

fn check<B>(request: &Request<B>, has_host: bool) -> Result<(), Problem> {
    let headers = request.headers();
    if headers.len() > MAX_HEADERS {
        return Err(Problem::new(
            431,
            "request.head_too_large",
            format!("The request has {} headers; at most {MAX_HEADERS} are allowed. Send fewer.", headers.len()),
        ));
    }
    if !has_host || headers.get_all(HOST).iter().count() > 1 {
        return Err(Problem::new(
            400,
            "request.host_missing",
            "The request names no host, or several. Send exactly one Host header.",
        ));
    }
    let extended_connect = request.extensions().get::<hyper::ext::Protocol>().is_some();
    if request.method() == Method::TRACE || (request.method() == Method::CONNECT && !extended_connect) {
        return Err(Problem::new(405, "request.method_not_allowed", "CONNECT and TRACE are not served here."));
    }
    if request.version() == Version::HTTP_09 || (request.uri().path() == "*" && request.method() != Method::CONNECT) {
        return Err(Problem::new(
            400,
            "request.target_invalid",
            "The request asks for no path. Begin the path with a slash.",
        ));
    }
    Ok(())
}

fn trusts(inner: &Inner, address: IpAddr) -> bool {
    inner.config.trusted_proxies.iter().any(|network| network.contains(address))
}

/// The client's own address: from the right, the first hop that no trusted proxy vouches for.
fn client(inner: &Inner, peer: &Peer, headers: &HeaderMap, trusted: bool) -> (IpAddr, Arc<str>) {
    let direct = || (peer.address, Arc::clone(&peer.text));
    if !trusted {
        return direct();
    }
    let values: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let hops = values.iter().rev().flat_map(|value| value.rsplit(',')).map(str::trim).take(MAX_HOPS);
    let mut found = None;
    for hop in hops {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        let address = address.to_canonical();
        found = Some(address);
        if !trusts(inner, address) {
            break;
        }
    }
    found.map_or_else(direct, |address| (address, address.to_string().into()))
}

fn https(inner: &Inner, peer: &Peer, headers: &HeaderMap, trusted: bool) -> bool {
    let claimed = headers.get(FORWARDED_PROTO).filter(|_| trusted).map(HeaderValue::as_bytes);
    match claimed {
        Some(b"https") => true,
        Some(b"http") => false,
        Some(_) | None => peer.tls || inner.config.public_https,
    }
}

/// A target in absolute form and HTTP/2's `:authority` stand above the header (RFC 9112, 3.2.2).
fn authority<B>(request: &Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(HOST).cloned(),
    }
}

/// Lower case, without port and final dot. Empty when it is no host: a user name, a port that is no number, or letters that
/// no host has would go on into a function's links.
pub(super) fn host_name(authority: &HeaderValue) -> String {
    let text = authority.to_str().unwrap_or_default();
    let (name, port, letters): (&str, &str, &[u8]) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address, port, b":."),
            None => return String::new(),
        },
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (name, port, b"-._")
        }
    };
    let digits = port.strip_prefix(':').unwrap_or_default();
    let port_is_sound = (port.is_empty() || port.starts_with(':'))
        && digits.len() <= 5
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.strip_suffix('.').unwrap_or(name);
    let sound = port_is_sound && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || letters.contains(&byte));
    if sound { name.to_ascii_lowercase() } else { String::new() }
}

fn request_id(inner: &Inner, headers: &HeaderMap, time: darter_core::Millis) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let allowed =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=');
        (8..=MAX_REQUEST_ID).contains(&bytes.len()) && bytes.iter().all(allowed)
    };
    if let Some(given) = headers.get(REQUEST_ID).filter(sane) {
        return given.clone();
    }
    let id = RequestId::generate(time, &inner.noise);
    HeaderValue::try_from(String::from(id)).unwrap_or(HeaderValue::from_static("req_unknown"))
}

pub(super) fn wants(headers: &HeaderMap) -> Wants {
    let holds = |name: HeaderName, what: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(what))
    };
    let chinese = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            value.split(',').map(str::trim).find(|language| language.starts_with("zh") || language.starts_with("en"))
        })
        .is_some_and(|language| language.starts_with("zh"));
    Wants { html: holds(ACCEPT, "text/html"), chinese }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_read_from_every_shape_of_authority() {
        for (authority, name) in [
            ("Example.org", "example.org"),
            ("example.org:80", "example.org"),
            ("example.org.", "example.org"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
            ("127.0.0.1:7070", "127.0.0.1"),
            ("user@evil@example.org", ""),
            ("example.org:80@evil.org", ""),
            ("example.org:", "example.org"),
            ("example.org:80/x", ""),
            ("example.org:999999", ""),
            ("example.org:8 0", ""),
            ("exa mple.org", ""),
            ("example.org/", ""),
            ("[::1]x", ""),
            ("[::1]80", ""),
            ("[::1]:", "::1"),
            ("[broken", ""),
            ("", ""),
        ] {
            assert_eq!(host_name(&HeaderValue::from_str(authority).unwrap()), name, "{authority}");
        }
    }

    #[test]
    fn the_first_language_that_we_speak_wins() {
        for (header, chinese) in
            [("zh-CN,zh;q=0.9,en;q=0.8", true), ("en-GB,zh", false), ("fr,zh-TW", true), ("de", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(wants(&headers).chinese, chinese, "{header}");
        }
    }
}
