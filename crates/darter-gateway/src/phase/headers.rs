//! Headers on their way into a sandbox and out of it: what belongs to one hop stays on it, what belongs to the platform
//! never leaves it, and what says where a request comes from is ours to say.

use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use super::DARTER_TOKEN;
use super::identify::{FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO, REQUEST_ID};
use crate::context::Context;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The session cookie of the console, with and without the prefix that https allows.
const SESSION_COOKIE: &str = "darter_session";
const SESSION_COOKIE_HTTPS: &str = "__Host-darter_session";
/// Personal access tokens begin with this.
const ACCESS_TOKEN: &[u8] = b"bearer dat_";

/// Makes a client's headers fit for a function.
pub(crate) fn forward(headers: &mut HeaderMap, context: &Context, upgrade: bool) {
    strip_hop(headers);
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    headers.remove(EXPECT);
    headers.remove(PROXY_AUTHORIZATION);
    headers.remove(DARTER_TOKEN);
    if headers.get(AUTHORIZATION).is_some_and(is_access_token) {
        headers.remove(AUTHORIZATION);
    }
    join_cookies(headers);
    headers.insert(HOST, context.authority.clone());
    vouch(headers, context);
}

/// Says who asks; what a client says about itself under these names is gone.
pub(crate) fn vouch(headers: &mut HeaderMap, context: &Context) {
    let client = HeaderValue::from_str(&context.client_text).unwrap_or(HeaderValue::from_static("unknown"));
    let chain = match &context.proxy {
        None => {
            headers.remove(FORWARDED);
            headers.remove(FORWARDED_PORT);
            headers.insert(FORWARDED_HOST, context.authority.clone());
            client.clone()
        }
        Some(proxy) => {
            if !headers.contains_key(FORWARDED_HOST) {
                headers.insert(FORWARDED_HOST, context.authority.clone());
            }
            let given: Vec<&str> =
                headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
            let chain = given.into_iter().chain([&**proxy]).collect::<Vec<_>>().join(", ");
            HeaderValue::try_from(chain).unwrap_or_else(|_| client.clone())
        }
    };
    headers.insert(FORWARDED_FOR, chain);
    headers.insert(REAL_IP, client);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if context.https { "https" } else { "http" }));
    headers.insert(REQUEST_ID, context.request_id.clone());
}

/// Removes what concerns only the connection it came on (RFC 9110, 7.6.1).
pub(crate) fn strip_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            // Naming these would make us forget them: that is not a client's to decide.
            if name != HOST && name != http::header::CONTENT_LENGTH && name != COOKIE && name != AUTHORIZATION {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
}

fn is_access_token(value: &HeaderValue) -> bool {
    value.as_bytes().get(..ACCESS_TOKEN.len()).is_some_and(|start| start.eq_ignore_ascii_case(ACCESS_TOKEN))
}

/// HTTP/2 may split cookies over several headers; functions expect one. The console's session is nobody else's.
fn join_cookies(headers: &mut HeaderMap) {
    let mut values = headers.get_all(COOKIE).iter();
    let (Some(first), more) = (values.next(), values.next().is_some()) else { return };
    let mentions = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        bytes.windows(SESSION_COOKIE.len()).any(|window| window == SESSION_COOKIE.as_bytes())
    };
    if !more && !mentions(first) {
        return;
    }
    let mut kept: Vec<u8> = Vec::new();
    for value in headers.get_all(COOKIE) {
        for pair in value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            if pair.is_empty() || name == SESSION_COOKIE.as_bytes() || name == SESSION_COOKIE_HTTPS.as_bytes() {
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    headers.remove(COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(COOKIE, value);
    }
}

/// Cookies that an app sets for all apps' common domain become cookies of this app alone.
pub(crate) fn keep_cookies_home(headers: &mut HeaderMap, apps_domain: &str) {
    let wide = |value: &HeaderValue| cookie_domain(value).is_some_and(|domain| reaches_others(domain, apps_domain));
    if !headers.get_all(SET_COOKIE).iter().any(wide) {
        return;
    }
    let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        let cookie = if wide(&cookie) { without_domain(&cookie) } else { cookie };
        headers.append(SET_COOKIE, cookie);
    }
}

fn attribute_is_domain(attribute: &str) -> bool {
    attribute.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("domain"))
}

fn cookie_domain(cookie: &HeaderValue) -> Option<&str> {
    let attributes = cookie.to_str().ok()?.split(';').skip(1);
    let last = attributes.filter(|attribute| attribute_is_domain(attribute)).last()?;
    Some(last.split_once('=').map_or("", |(_, domain)| domain.trim()))
}

fn reaches_others(domain: &str, apps_domain: &str) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    domain == apps_domain || apps_domain.ends_with(&format!(".{domain}"))
}

fn without_domain(cookie: &HeaderValue) -> HeaderValue {
    let text = cookie.to_str().unwrap_or_default();
    let mut parts = text.split(';');
    let pair = parts.next().unwrap_or_default();
    let kept =
        parts.filter(|attribute| !attribute_is_domain(attribute)).fold(pair.to_owned(), |kept, part| kept + ";" + part);
    HeaderValue::try_from(kept).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn the_consoles_session_never_reaches_a_function() {
        for (cookies, expected) in [
            (&[("cookie", "a=1; b=2")][..], Some("a=1; b=2")),
            (&[("cookie", "a=1; darter_session=secret; b=2")], Some("a=1; b=2")),
            (&[("cookie", "__Host-darter_session=secret")], None),
            (&[("cookie", "a=1"), ("cookie", "darter_session=x"), ("cookie", "b=2")], Some("a=1; b=2")),
            (&[("cookie", "my_darter_session=mine")], Some("my_darter_session=mine")),
            (&[("cookie", " darter_session =x;a=1")], Some("a=1")),
        ] {
            let mut headers = map(cookies);
            join_cookies(&mut headers);
            assert_eq!(headers.get(COOKIE).map(|value| value.to_str().unwrap()), expected, "{cookies:?}");
        }
    }

    #[test]
    fn hop_by_hop_headers_end_here_and_nothing_else_can_be_named_away() {
        let mut headers = map(&[
            ("connection", "close, x-secret, host, content-length"),
            ("x-secret", "1"),
            ("host", "h"),
            ("content-length", "0"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("keep-alive", "1"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ]);
        strip_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-kept"]);
    }

    #[test]
    fn a_cookie_for_all_apps_becomes_a_cookie_of_one() {
        for (cookie, expected) in [
            ("a=1; Path=/", "a=1; Path=/"),
            ("a=1; Domain=apps.localhost; Path=/", "a=1; Path=/"),
            ("a=1; domain=.APPS.localhost", "a=1"),
            ("a=1; Domain=localhost", "a=1"),
            ("a=1; Domain=x.apps.localhost", "a=1; Domain=x.apps.localhost"),
            ("a=1; Domain=example.org; Secure", "a=1; Domain=example.org; Secure"),
        ] {
            let mut headers = map(&[]);
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
            keep_cookies_home(&mut headers, "apps.localhost");
            assert_eq!(headers[SET_COOKIE], expected, "{cookie}");
        }
    }
}
