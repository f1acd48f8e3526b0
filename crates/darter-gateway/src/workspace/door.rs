//! Who may enter: a token of a minute, checked from memory; else a visit, looked up; else a way round by the console,
//! which knows people and comes back with a code that works once.

use std::sync::Arc;

use http::header::{AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use super::cookie::DoorCookie;
use super::doors::{Entry, Spot};
use super::{own, redirect};
use crate::context::Context;
use crate::page::Problem;
use crate::reply::ReplyBody;
use crate::server::Inner;

/// A personal access token, for programs. Never enters a sandbox.
pub(super) const DARTER_TOKEN: HeaderName = HeaderName::from_static("darter-token");

/// What the door says.
pub(super) enum Verdict {
    /// Come in, with these cookies for next time.
    In(Vec<HeaderValue>),
    Answer(Response<ReplyBody>),
}

/// Decides. Answers the door's own addresses, which are asked before anybody is known.
pub(super) async fn admit(
    inner: &Arc<Inner>,
    context: &Context,
    spot: &Spot,
    (request, upgrade): (&Request<Incoming>, bool),
) -> Result<Verdict, Problem> {
    let headers = request.headers();
    if request.uri().path() == own::ENTER && request.method() == Method::GET {
        return enter(inner, context, spot, request.uri().query().unwrap_or_default()).await.map(Verdict::Answer);
    }
    if DoorCookie::Token.read(headers, context.https).into_iter().any(|token| inner.doors.is_valid(spot, token)) {
        return Ok(Verdict::In(Vec::new()));
    }
    if let Some(token) = headers.get(DARTER_TOKEN).and_then(|value| value.to_str().ok()) {
        inner.doors.by_access_token(spot, token).await?;
        return Ok(Verdict::In(Vec::new()));
    }
    for visit in DoorCookie::Visit.read(headers, context.https) {
        if let Some(entry) = inner.doors.visit(spot, visit).await? {
            return Ok(Verdict::In(cookies(&entry, context.https)));
        }
    }
    if request.uri().path() == own::ENTERED {
        return Err(without_cookies());
    }
    if upgrade || !context.wants.html || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(
            401,
            "workspace.sign_in",
            "This workspace is private. Open it in a browser where you are signed in, or send a personal access token in the header darter-token.",
        ));
    }
    Ok(Verdict::Answer(redirect(&inner.doors.enter(&whole(context, request)))))
}

/// The address that was asked for, whole.
fn whole(context: &Context, request: &Request<Incoming>) -> String {
    let scheme = if context.https { "https" } else { "http" };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    format!("{scheme}://{}{target}", context.authority.to_str().unwrap_or_default())
}

fn cookies(entry: &Entry, https: bool) -> Vec<HeaderValue> {
    let token = DoorCookie::Token.set(&entry.token, https);
    let visit = entry.visit.as_ref().and_then(|visit| DoorCookie::Visit.set(visit, https));
    token.into_iter().chain(visit).collect()
}

/// `/.darter/enter?code=…`: trades the code for cookies, then looks whether the browser has kept them.
async fn enter(
    inner: &Arc<Inner>,
    context: &Context,
    spot: &Spot,
    query: &str,
) -> Result<Response<ReplyBody>, Problem> {
    let code = own::parameter(query, "code").unwrap_or_default();
    let entry = inner.doors.redeem(spot, &code).await?;
    let to = own::encode(&local(&entry.to));
    let mut answer = redirect(&format!("{}?to={to}", own::ENTERED));
    for cookie in cookies(&entry, context.https) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// `/.darter/entered?to=…`, reached only with the cookies.
pub(super) fn entered(query: &str) -> Response<ReplyBody> {
    redirect(&local(&own::parameter(query, "to").unwrap_or_default()))
}

/// A path on this host and nothing else: `//evil.test` and `/\evil.test` are hosts to a browser.
pub(super) fn local(to: &str) -> String {
    let plain = to.starts_with('/') && !to[1..].starts_with(['/', '\\']) && !to.bytes().any(|byte| byte < 0x20);
    if plain { to.to_owned() } else { "/".to_owned() }
}

fn without_cookies() -> Problem {
    Problem::new(
        403,
        "workspace.cookies_off",
        "The browser has not kept this site's cookies, without which nobody can be let in. Allow cookies for this address and open the workspace again.",
    )
}

/// Takes what proved who asks out of a request.
pub(super) fn strip(headers: &mut HeaderMap) {
    super::cookie::strip(headers);
    let ours: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("darter-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    let token = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().starts_with(b"bearer dat_");
    if headers.get(AUTHORIZATION).is_some_and(token) {
        headers.remove(AUTHORIZATION);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_leads_to_this_host_or_to_its_start() {
        for (to, expected) in [
            ("/", "/"),
            ("/?folder=/home/user/a b", "/?folder=/home/user/a b"),
            ("//evil.test", "/"),
            ("/\\evil.test", "/"),
            ("https://evil.test", "/"),
            ("", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(local(to), expected, "{to:?}");
        }
    }
}
