//! From what somebody filled into the run panel to a request as a caller would have sent it. Pure.

use darter_api::draft::RunRequest;
use darter_core::{Fault, function::METHODS};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::user_token::sign;

/// Headers that a run may have.
const HEADER_LIMIT: usize = 100;
/// Bytes of names and values together.
const HEADER_BYTES: usize = 32 << 10;
const QUERY_LIMIT: usize = 16 << 10;

/// A request's head, checked.
#[derive(Debug)]
pub struct Prepared {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
}

/// Checks and completes. `host` is the app's own; `secret` signs the user.
pub fn prepare(name: &str, input: &RunRequest, host: &str, secret: &str) -> Result<Prepared, Fault> {
    let method = input.method.clone().unwrap_or_else(|| "GET".to_owned()).to_ascii_uppercase();
    if !METHODS.contains(&method.as_str()) {
        return Err(Fault::invalid("run.method_invalid", format!("Choose one of {}.", METHODS.join(", "))));
    }
    Ok(Prepared { method, target: target(name, input.query.as_deref())?, headers: headers(input, host, secret)? })
}

fn target(name: &str, query: Option<&str>) -> Result<String, Fault> {
    let query = query.unwrap_or_default().trim_start_matches('?');
    if query.len() > QUERY_LIMIT {
        return Err(Fault::invalid(
            "run.query_invalid",
            format!("The query has {} bytes; the limit is {QUERY_LIMIT}.", query.len()),
        ));
    }
    let escaped: String = query
        .bytes()
        .map(|byte| {
            if byte.is_ascii_graphic() && byte != b'#' { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        })
        .collect();
    Ok(if escaped.is_empty() { format!("/{name}") } else { format!("/{name}?{escaped}") })
}

fn headers(input: &RunRequest, host: &str, secret: &str) -> Result<HeaderMap, Fault> {
    let bytes: usize = input.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if input.headers.len() > HEADER_LIMIT || bytes > HEADER_BYTES {
        return Err(Fault::invalid(
            "run.headers_invalid",
            format!("At most {HEADER_LIMIT} headers with {HEADER_BYTES} bytes together are possible."),
        ));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &input.headers {
        let refuse = || {
            Fault::invalid(
                "run.headers_invalid",
                format!("\"{}\" is not a header that can be sent. Correct its name and value.", name.escape_debug()),
            )
        };
        let key = HeaderName::from_bytes(name.trim().to_ascii_lowercase().as_bytes()).map_err(|_| refuse())?;
        let value = HeaderValue::from_str(value).map_err(|_| refuse())?;
        if !is_ours(&key) {
            headers.append(key, value);
        }
    }
    let own = |text: &str| HeaderValue::from_str(text).map_err(|_| Fault::internal("a header of our own is malformed"));
    headers.insert(HOST, own(host)?);
    if let Some(body) = &input.body {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if !headers.contains_key(CONTENT_TYPE) {
            let json = serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static(if json { "application/json" } else { "text/plain; charset=utf-8" }),
            );
        }
    }
    if let Some(user) = &input.user {
        headers.insert(AUTHORIZATION, own(&format!("Bearer {}", sign(user, secret)))?);
    }
    Ok(headers)
}

/// Headers that belong to the connection or to the platform.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("darter-")
        || matches!(
            name,
            "host"
                | "content-length"
                | "connection"
                | "keep-alive"
                | "transfer-encoding"
                | "upgrade"
                | "te"
                | "trailer"
                | "proxy-connection"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> RunRequest {
        RunRequest::default()
    }

    #[test]
    fn what_is_not_said_is_completed() {
        let body = Some(r#"{"a":1}"#.to_owned());
        let prepared =
            prepare("api/users", &RunRequest { method: Some("post".into()), body, ..input() }, "a.b", "s").unwrap();
        assert_eq!((prepared.method.as_str(), prepared.target.as_str()), ("POST", "/api/users"));
        assert_eq!(prepared.headers["content-type"], "application/json");
        assert_eq!(prepared.headers["content-length"], "7");
        assert_eq!(prepared.headers["host"], "a.b");
    }

    #[test]
    fn a_query_can_not_leave_its_line() {
        let prepared =
            prepare("f", &RunRequest { query: Some("?a=b c&ü=\r\nX: y#z".into()), ..input() }, "a.b", "s").unwrap();
        assert_eq!(prepared.target, "/f?a=b%20c&%C3%BC=%0D%0AX:%20y%23z");
    }

    #[test]
    fn headers_of_the_connection_and_the_platform_are_ours() {
        let headers = [("Host", "evil"), ("Transfer-Encoding", "chunked"), ("Darter-Token", "x"), ("X-Mine", "1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let prepared = prepare("f", &RunRequest { headers, ..input() }, "a.b", "s").unwrap();
        assert_eq!(prepared.headers.len(), 2);
        assert_eq!(
            (&prepared.headers["host"], &prepared.headers["x-mine"]),
            (&HeaderValue::from_static("a.b"), &HeaderValue::from_static("1"))
        );
    }

    #[test]
    fn what_can_not_be_sent_is_refused() {
        let header =
            |name: &str, value: &str| RunRequest { headers: [(name.to_owned(), value.to_owned())].into(), ..input() };
        let rows = [
            (RunRequest { method: Some("BREW".into()), ..input() }, "run.method_invalid"),
            (header("a b", "c"), "run.headers_invalid"),
            (header("a", "b\r\nc: d"), "run.headers_invalid"),
            (header("a", &"x".repeat(40_000)), "run.headers_invalid"),
            (RunRequest { query: Some("x".repeat(20_000)), ..input() }, "run.query_invalid"),
        ];
        for (input, code) in rows {
            assert_eq!(prepare("f", &input, "a.b", "s").unwrap_err().code, code);
        }
    }

    #[test]
    fn the_user_is_signed_with_the_apps_own_secret() {
        let prepared =
            prepare("f", &RunRequest { user: Some(serde_json::json!({ "uid": "u1" })), ..input() }, "a.b", "s")
                .unwrap();
        let expected = format!("Bearer {}", sign(&serde_json::json!({ "uid": "u1" }), "s"));
        assert_eq!(prepared.headers["authorization"], expected.as_str());
    }
}
