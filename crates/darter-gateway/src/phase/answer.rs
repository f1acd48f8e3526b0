//! Phase 7: the function's answer becomes the client's.

use std::fmt::Write;
use std::time::Instant;

use darter_core::record::StartPhases;
use darter_wire::Lease;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::body::AppBody;
use super::deadline::Deadlines;
use super::headers;
use crate::reply::ReplyBody;
use crate::server::Inner;

pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Builds the answer. Small bodies are here already and give the place back at once.
pub(crate) fn answer(
    inner: &Inner,
    method: &Method,
    reply: darter_wire::Response,
    lease: Lease,
    deadlines: &Deadlines,
) -> Response<ReplyBody> {
    let mut headers = reply.headers;
    clean(&mut headers, &inner.config.apps_domain);
    let announced = announced_length(&mut headers);
    let bodiless = matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut body = reply.body;
    let body = if *method == Method::HEAD || bodiless {
        if let (Some(length), false) = (announced, bodiless) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        ReplyBody::whole("")
    } else if let Some(whole) = body.take_whole() {
        ReplyBody::whole(whole)
    } else {
        if let Some(length) = announced {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        ReplyBody::app(AppBody::new(inner, body, lease, announced, deadlines))
    };
    let mut answer = Response::new(body);
    // The wire lets 200 to 999 through; an upgrade that nobody asked for was refused there.
    *answer.status_mut() = reply.status;
    *answer.headers_mut() = headers;
    answer
}

/// Removes what a function must not say about the connection, or about other apps.
pub(crate) fn clean(headers: &mut HeaderMap, apps_domain: &str) {
    headers::strip_hop(headers);
    headers::keep_cookies_home(headers, apps_domain);
    headers::clear_nothing_of_others(headers);
}

/// Takes the length out: one that is no number, or several, is none. Framing is ours alone.
fn announced_length(headers: &mut HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let only = values.next().filter(|_| values.next().is_none());
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length = only.and_then(|value| value.to_str().ok()).filter(digits).and_then(|text| text.parse().ok());
    headers.remove(CONTENT_LENGTH);
    length
}

/// What `Server-Timing` tells those who may see it.
pub(crate) struct Timing {
    began: Instant,
}

impl Timing {
    pub fn begin(began: Instant) -> Self {
        Self { began }
    }

    /// `total;dur=12.1, start;desc="pool";dur=4.2, pool;dur=0.3, …`, in milliseconds, until the answer's head.
    pub fn header(&self, start: Option<&StartPhases>) -> HeaderValue {
        let mut text = format!("total;dur={:.3}", self.began.elapsed().as_secs_f64() * 1_000.0);
        if let Some(start) = start {
            let millis = |micros: u64| micros as f64 / 1_000.0;
            // Writing into a string cannot fail.
            let _ = write!(text, ", start;desc=\"{}\";dur={:.3}", token(&start.from), millis(start.total_us()));
            for (name, micros) in &start.phases {
                let _ = write!(text, ", {};dur={:.3}", token(name), millis(*micros));
            }
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("total"))
    }
}

fn token(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' })
        .collect()
}
