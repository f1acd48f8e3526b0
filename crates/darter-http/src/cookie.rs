//! The two cookies: the session, and what a sign-in elsewhere carries. Both host-only and invisible to scripts; on https
//! `Secure` and with the `__Host-` prefix, so that no other site of the domain can set them.

use darter_platform::{SESSION_LIFE, provider::FLOW_SECONDS};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    Session,
    Flow,
}

impl Cookie {
    fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Cookie::Session, false) => "darter_session",
            (Cookie::Session, true) => "__Host-darter_session",
            (Cookie::Flow, false) => "darter_flow",
            (Cookie::Flow, true) => "__Host-darter_flow",
        }
    }

    /// What the browser sent.
    pub fn read(self, headers: &HeaderMap, https: bool) -> Option<String> {
        let name = self.name(https);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
            .filter(|value| (1..=4_096).contains(&value.len()))
    }

    /// The header that sets it. `value` is base64url.
    pub fn set(self, value: &str, https: bool) -> HeaderValue {
        let life = match self {
            Cookie::Session => SESSION_LIFE / 1_000,
            Cookie::Flow => FLOW_SECONDS,
        };
        self.header(value, life, https)
    }

    /// The header that takes it away.
    pub fn clear(self, https: bool) -> HeaderValue {
        self.header("", 0, https)
    }

    fn header(self, value: &str, life: i64, https: bool) -> HeaderValue {
        let secure = if https { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}", self.name(https));
        HeaderValue::try_from(text).expect("name, base64url and numbers are a header's letters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_closed_to_scripts_and_on_https_to_other_sites() {
        assert_eq!(
            Cookie::Session.set("abc", false),
            "darter_session=abc; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        );
        let https = Cookie::Session.set("abc", true);
        assert_eq!(https, "__Host-darter_session=abc; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(Cookie::Flow.clear(false), "darter_flow=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_cookie_is_found_among_others_and_on_https_only_under_its_prefix() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; darter_session=plain; darter_sessionx=no"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-darter_session=prefixed"));
        assert_eq!(Cookie::Session.read(&headers, false).as_deref(), Some("plain"));
        assert_eq!(Cookie::Session.read(&headers, true).as_deref(), Some("prefixed"));
        assert_eq!(Cookie::Flow.read(&headers, false), None);
    }
}
