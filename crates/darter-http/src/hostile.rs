//! For fuzzing and for the tests that replay what it found: what a browser or a program sends to say who it is. Nothing in
//! the product calls this.

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cookie::Cookie;
use crate::identify;

/// Headers as text: cookie, authorization, origin, host, content type, one a line.
pub fn credentials(text: &[u8]) {
    let mut headers = HeaderMap::new();
    let names: [HeaderName; 5] = [COOKIE, AUTHORIZATION, ORIGIN, HOST, CONTENT_TYPE];
    for (name, line) in names.into_iter().zip(text.split(|byte| *byte == b'\n')) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    for https in [false, true] {
        for cookie in [Cookie::Session, Cookie::Flow] {
            if let Some(value) = cookie.read(&headers, https) {
                assert!((1..=4_096).contains(&value.len()) && !value.contains(';'), "one cookie: {value:?}");
            }
        }
        identify::read_hostile(&headers, https);
    }
}
