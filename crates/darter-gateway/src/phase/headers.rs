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
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The console's cookies, and the prefix that they have on https.
const OUR_COOKIES: [&[u8]; 2] = [b"darter_session", b"darter_flow"];
const OUR_PREFIX: &[u8] = b"__Host-";
/// Every cookie of ours holds this.
const OURS: &[u8] = b"darter_";
/// Personal access tokens begin with this.
const ACCESS_TOKEN: &[u8] = b"dat_";

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
    if headers.get_all(AUTHORIZATION).iter().any(is_access_token) {
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

/// As the console reads it: a scheme, blanks, the token.
fn is_access_token(value: &HeaderValue) -> bool {
    let text = value.as_bytes().trim_ascii();
    let (scheme, token) = text.split_at(text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len()));
    let token = token.trim_ascii();
    let begins = token.get(..ACCESS_TOKEN.len()).is_some_and(|start| start.eq_ignore_ascii_case(ACCESS_TOKEN));
    scheme.eq_ignore_ascii_case(b"bearer") && begins
}

fn is_our_cookie(name: &[u8]) -> bool {
    OUR_COOKIES.contains(&name.strip_prefix(OUR_PREFIX).unwrap_or(name))
}

/// HTTP/2 may split cookies over several headers; functions expect one. The console's session is nobody else's.
fn join_cookies(headers: &mut HeaderMap) {
    let mut values = headers.get_all(COOKIE).iter();
    let (Some(first), more) = (values.next(), values.next().is_some()) else { return };
    let mentions = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        bytes.windows(OURS.len()).any(|window| window == OURS)
    };
    if !more && !mentions(first) {
        return;
    }
    let mut kept: Vec<u8> = Vec::new();
    for value in headers.get_all(COOKIE) {
        for pair in value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            if pair.is_empty() || is_our_cookie(name) {
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

/// Cookies that an app sets for all apps' common domain become cookies of this app alone. Read as the most lenient
/// browser does: any attribute may count, and bytes that are no ASCII hide nothing.
pub(crate) fn keep_cookies_home(headers: &mut HeaderMap, apps_domain: &str) {
    let wide = |value: &HeaderValue| {
        let attributes = value.as_bytes().split(|byte| *byte == b';').skip(1);
        attributes.filter_map(domain_of).any(|domain| reaches_others(domain, apps_domain))
    };
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

/// `Clear-Site-Data` takes cookies away from every host of the apps' domain, other tenants' among them. What concerns only
/// this host stays.
pub(crate) fn clear_nothing_of_others(headers: &mut HeaderMap) {
    if !headers.contains_key(CLEAR_SITE_DATA) {
        return;
    }
    let lines = headers.get_all(CLEAR_SITE_DATA).iter().filter_map(|value| value.to_str().ok());
    let own = |word: &&str| ["\"cache\"", "\"storage\"", "\"executionContexts\""].contains(word);
    let kept = lines.flat_map(|line| line.split(',')).map(str::trim).filter(own).collect::<Vec<_>>().join(", ");
    headers.remove(CLEAR_SITE_DATA);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::try_from(kept)) {
        headers.insert(CLEAR_SITE_DATA, value);
    }
}

/// The value of a `Domain` attribute.
fn domain_of(attribute: &[u8]) -> Option<&[u8]> {
    let at = attribute.iter().position(|byte| *byte == b'=').unwrap_or(attribute.len());
    let (name, value) = attribute.split_at(at);
    name.trim_ascii().eq_ignore_ascii_case(b"domain").then(|| value.get(1..).unwrap_or_default())
}

fn reaches_others(domain: &[u8], apps_domain: &str) -> bool {
    let domain = String::from_utf8_lossy(domain).to_ascii_lowercase();
    let domain = domain.trim().trim_matches('.');
    domain == apps_domain || (!domain.is_empty() && apps_domain.ends_with(&format!(".{domain}")))
}

fn without_domain(cookie: &HeaderValue) -> HeaderValue {
    let mut parts = cookie.as_bytes().split(|byte| *byte == b';');
    let mut kept = parts.next().unwrap_or_default().to_vec();
    for part in parts.filter(|part| domain_of(part).is_none()) {
        kept.push(b';');
        kept.extend_from_slice(part);
    }
    HeaderValue::from_bytes(&kept).unwrap_or(HeaderValue::from_static(""))
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
            (&[("cookie", "darter_flow=x; __Host-darter_flow=y; a=1")], Some("a=1")),
        ] {
            let mut headers = map(cookies);
            join_cookies(&mut headers);
            assert_eq!(headers.get(COOKIE).map(|value| value.to_str().unwrap()), expected, "{cookies:?}");
        }
    }

    #[test]
    fn a_personal_access_token_never_reaches_a_function() {
        for (values, kept) in [
            (&[("authorization", "Bearer dat_secret")][..], false),
            (&[("authorization", "bearer   dat_secret")], false),
            (&[("authorization", " BEARER\tdat_secret")], false),
            (&[("authorization", "Bearer own"), ("authorization", "Bearer dat_secret")], false),
            (&[("authorization", "Bearer own_dat_x")], true),
            (&[("authorization", "Basic ZGF0Xw==")], true),
            (&[("authorization", "dat_x")], true),
        ] {
            let headers = map(values);
            assert_eq!(!headers.get_all(AUTHORIZATION).iter().any(is_access_token), kept, "{values:?}");
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
    fn nobody_takes_the_cookies_of_other_hosts_away() {
        for (said, kept) in [
            (&[("clear-site-data", "\"cookies\"")][..], None),
            (&[("clear-site-data", "\"*\"")], None),
            (
                &[("clear-site-data", "\"cache\", \"cookies\""), ("clear-site-data", "\"storage\"")],
                Some("\"cache\", \"storage\""),
            ),
            (&[("clear-site-data", "cookies")], None),
            (&[], None),
        ] {
            let mut headers = map(said);
            clear_nothing_of_others(&mut headers);
            assert_eq!(headers.get(CLEAR_SITE_DATA).map(|value| value.to_str().unwrap()), kept, "{said:?}");
        }
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
            ("a=\u{e9}; Domain=apps.localhost; Path=/", "a=\u{e9}; Path=/"),
            ("a=1; Path=/\u{e9}; Domain=apps.localhost", "a=1; Path=/\u{e9}"),
            ("a=1; Domain=apps.localhost; Domain=", "a=1"),
            ("a=1; Domain=; Domain=apps.localhost", "a=1"),
            ("a=1; Domain=apps.localhost.", "a=1"),
            ("a=1; domain =\tapps.localhost ", "a=1"),
            ("a=1; Domain", "a=1; Domain"),
        ] {
            let mut headers = map(&[]);
            headers.append(SET_COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
            keep_cookies_home(&mut headers, "apps.localhost");
            assert_eq!(headers[SET_COOKIE].as_bytes(), expected.as_bytes(), "{cookie}");
        }
    }
}
