//! The two cookies of a workspace's host: a signed token of a minute, and the visit it is renewed from. Both are
//! host-only and closed to scripts.
//!
//! A sibling host can plant cookies of the same name for the whole domain. So every cookie of the name is tried, and
//! none is worth anything at another spot than its own.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Names that belong to the platform. Cookies with them never enter a sandbox and never come out of one.
const PLATFORM: &[u8] = b"darter_";
const PLATFORM_HTTPS: &[u8] = b"__Host-darter_";

/// Longest value that is looked at, and how many of a name.
const MAX_VALUE: usize = 1_024;
const MAX_TRIED: usize = 8;

/// A cookie of the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DoorCookie {
    /// Checked from memory.
    Token,
    /// Looked up.
    Visit,
}

impl DoorCookie {
    fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Token, false) => "darter_door",
            (Self::Token, true) => "__Host-darter_door",
            (Self::Visit, false) => "darter_visit",
            (Self::Visit, true) => "__Host-darter_visit",
        }
    }

    /// Seconds. The token's own expiry is inside it; the cookie lives a little longer, so that clocks may differ.
    fn life(self) -> u32 {
        match self {
            Self::Token => 120,
            Self::Visit => 30 * 86_400,
        }
    }

    /// Every value that a browser sent under the name.
    pub fn read(self, headers: &HeaderMap, https: bool) -> Vec<&str> {
        let name = self.name(https);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
        values.filter(|value| (1..=MAX_VALUE).contains(&value.len())).take(MAX_TRIED).collect()
    }

    /// The header that sets it. `None`: the value is not a cookie's.
    pub fn set(self, value: &str, https: bool) -> Option<HeaderValue> {
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let secure = if https { "; Secure" } else { "" };
        let (name, life) = (self.name(https), self.life());
        let text = format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).ok().filter(|_| plain)
    }
}

/// Is this name the platform's?
pub(crate) fn is_ours(name: &[u8]) -> bool {
    name.starts_with(PLATFORM) || name.starts_with(PLATFORM_HTTPS)
}

/// Takes the platform's cookies out of a request and joins the rest into one header.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let mut kept: Vec<u8> = Vec::new();
    for value in headers.get_all(COOKIE) {
        for pair in value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
        {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            if is_ours(name) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cookie_of_the_name_is_found_and_none_of_them_enters() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; darter_door=planted; darter_visit=v"));
        headers.append(COOKIE, HeaderValue::from_static("darter_door=own; __Host-darter_door=x; darter_session=s"));
        assert_eq!(DoorCookie::Token.read(&headers, false), ["planted", "own"]);
        assert_eq!(DoorCookie::Token.read(&headers, true), ["x"]);
        strip(&mut headers);
        assert_eq!(headers[COOKIE], "a=1");
        assert_eq!(headers.get_all(COOKIE).iter().count(), 1);
    }

    #[test]
    fn a_cookie_is_host_only_and_closed_to_scripts() {
        let plain = DoorCookie::Token.set("abc.d-e_f", false).unwrap();
        assert_eq!(plain, "darter_door=abc.d-e_f; Path=/; Max-Age=120; HttpOnly; SameSite=Lax");
        let https = DoorCookie::Visit.set("x", true).unwrap();
        assert_eq!(https, "__Host-darter_visit=x; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(DoorCookie::Visit.set("x; Domain=evil", false), None);
    }
}
