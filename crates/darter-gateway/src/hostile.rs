//! For fuzzing and for the tests that replay what it found: heads of requests and answers, against what the gateway makes
//! of them on their way in and out. Nothing in the product calls this.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, SET_COOKIE};

use crate::phase::hostile as phase;
use crate::workspace::hostile as door;

const APPS_DOMAIN: &str = "apps.localhost";

/// A head as text: the target, the host, then `name: value` lines. The same headers are taken once as a request's and
/// once as an answer's.
pub fn head(text: &[u8]) {
    let mut lines = text.split(|byte| *byte == b'\n');
    let target = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let authority = HeaderValue::from_bytes(lines.next().unwrap_or_default()).ok();
    let mut headers = HeaderMap::new();
    for line in lines.take(100) {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    phase::address(&target);
    request(authority.unwrap_or(HeaderValue::from_static("a.apps.localhost")), headers.clone());
    answer(headers);
}

/// What the door of a workspace reads: a label, a query, a way back, cookies, an origin, one a line.
pub fn door(text: &[u8]) {
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let label = String::from_utf8_lossy(next()).into_owned();
    door::label(&label);
    let query = String::from_utf8_lossy(next()).into_owned();
    door::query(&query);
    let back = String::from_utf8_lossy(next()).into_owned();
    let way = door::way_back(&back);
    assert!(way.starts_with('/') && !way[1..].starts_with(['/', '\\']), "a path on this host: {way:?}");
    assert!(!way.bytes().any(|byte| byte < 0x20), "nothing that a browser leaves out: {way:?}");
    let mut headers = HeaderMap::new();
    for _ in 0..2 {
        if let Ok(value) = HeaderValue::from_bytes(next()) {
            headers.append(http::header::COOKIE, value);
        }
    }
    if let Ok(origin) = HeaderValue::from_bytes(next()) {
        headers.insert(http::header::ORIGIN, origin);
    }
    let foreign = headers.get(http::header::ORIGIN).is_some_and(|origin| {
        !String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase().contains("abcdefghjk.apps.localhost")
    });
    assert!(!(foreign && door::is_meant(&headers)), "a page of somebody else's");
    door::strip(&mut headers);
    for line in headers.get_all(http::header::COOKIE) {
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            let name = name.strip_prefix(b"__Host-").unwrap_or(name);
            assert!(!name.starts_with(b"darter_"), "a cookie of ours");
        }
    }
}

fn request(authority: HeaderValue, mut headers: HeaderMap) {
    let host = phase::host_name(&authority);
    assert!(!host.contains(['@', ' ']) && !host.chars().any(|c| c.is_ascii_uppercase()), "the host is plain: {host:?}");
    phase::wants(&headers);
    phase::forward(&mut headers, authority);
    for name in ["te", "trailer", "transfer-encoding", "upgrade", "keep-alive", "connection", "darter-token", "expect"]
    {
        assert!(!headers.contains_key(name), "{name} reached a function");
    }
    assert_eq!(headers.get_all("x-real-ip").iter().collect::<Vec<_>>(), ["192.0.2.1"], "who asks is ours to say");
    assert_eq!(headers.get_all("host").iter().count(), 1);
    for value in headers.get_all("authorization") {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        assert!(!matches!(words[..], ["bearer", token, ..] if token.starts_with("dat_")), "a token of ours: {text:?}");
    }
    let cookies = headers.get_all("cookie").iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    for pair in cookies {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        let name = name.strip_prefix(b"__Host-").unwrap_or(name);
        assert!(name != b"darter_session" && name != b"darter_flow", "a cookie of ours");
    }
}

fn answer(mut headers: HeaderMap) {
    phase::clean(&mut headers, APPS_DOMAIN);
    for cookie in headers.get_all(SET_COOKIE) {
        // As a lenient browser reads it: every attribute counts, letters and dots around do not.
        let text = String::from_utf8_lossy(cookie.as_bytes()).to_ascii_lowercase();
        for attribute in text.split(';').skip(1) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let domain = value.trim().trim_matches('.');
            let reaches = domain == APPS_DOMAIN || (!domain.is_empty() && APPS_DOMAIN.ends_with(&format!(".{domain}")));
            assert!(name.trim() != "domain" || !reaches, "a cookie for all apps: {text:?}");
        }
    }
}
