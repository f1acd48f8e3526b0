//! Who asks: by session cookie or by token. And did they mean it: a browser sends its cookie with requests that another
//! site made it send, so whatever changes something must come from our own pages.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use darter_core::Fault;
use darter_platform::{Actor, Origin, Platform};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::cookie::Cookie;
use crate::problem::Problem;
use crate::trace::RequestIdText;

/// Puts the actor into the request's extensions.
pub async fn identify(State(platform): State<Arc<Platform>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match actor(&platform, &parts).await {
        Ok(actor) => {
            parts.extensions.insert(actor);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(fault) => Problem(fault).into_response(),
    }
}

fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn actor(platform: &Arc<Platform>, request: &Parts) -> Result<Actor, Fault> {
    let headers = &request.headers;
    let https = platform.config.https();
    let origin = Origin {
        // The gateway set it, whatever the client sent under this name.
        address: text(headers, "x-real-ip").to_owned(),
        user_agent: text(headers, USER_AGENT).to_owned(),
        request_id: request.extensions.get::<RequestIdText>().map(|id| id.0.clone()).unwrap_or_default(),
    };
    if let Some(token) = bearer(headers)? {
        return Ok(Actor { origin, ..Actor::by_token(platform, token).await? });
    }
    let session = Cookie::Session.read(headers, https);
    if changes(&request.method) {
        meant(request, https, session.is_some())?;
    }
    match session {
        Some(secret) => darter_platform::by_cookie(platform, &secret, origin).await,
        None => Ok(Actor::anonymous(origin)),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some(_) | None => Err(Fault::unauthenticated(
            "auth.scheme_unknown",
            "Authorization must be `Bearer dat_…` with a personal access token.",
        )),
    }
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Where the browser says that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    Ours,
    Elsewhere,
    /// Not a browser, or one that does not say.
    Unsaid,
}

impl Whence {
    /// Refuses a page of another site that sent the browser here. A browser that does not say is one of before 2020.
    pub fn must_be_ours(self) -> Result<(), Fault> {
        match self {
            Self::Ours => Ok(()),
            Self::Elsewhere | Self::Unsaid => Err(elsewhere()),
        }
    }
}

impl FromRequestParts<Arc<Platform>> for Whence {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, platform: &Arc<Platform>) -> Result<Self, Problem> {
        let https = platform.config.https();
        Ok(match whence(&parts.headers, &parts.uri, https) {
            Self::Unsaid if comes_from(&parts.headers, &parts.uri, https) => Self::Ours,
            said => said,
        })
    }
}

/// Over plain http a browser says where a click came from in `Referer` alone.
fn comes_from(headers: &HeaderMap, uri: &Uri, https: bool) -> bool {
    text(headers, REFERER).strip_prefix(&own_origin(headers, uri, https)).is_some_and(|rest| rest.starts_with('/'))
}

fn own_origin(headers: &HeaderMap, uri: &Uri, https: bool) -> String {
    let host = uri.authority().map_or_else(|| text(headers, HOST), |authority| authority.as_str());
    format!("{}://{host}", if https { "https" } else { "http" })
}

fn elsewhere() -> Fault {
    let message = "This request does not come from this server's own pages, so it was not carried out. A program uses a personal access token instead of a cookie.";
    Fault::forbidden("auth.cross_site", message)
}

fn whence(headers: &HeaderMap, uri: &Uri, https: bool) -> Whence {
    if let Some(origin) = headers.get(ORIGIN) {
        let own = own_origin(headers, uri, https);
        let same = !own.ends_with('/') && origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&own));
        return if same { Whence::Ours } else { Whence::Elsewhere };
    }
    match text(headers, "sec-fetch-site") {
        "same-origin" | "none" => Whence::Ours,
        "" => Whence::Unsaid,
        _ => Whence::Elsewhere,
    }
}

/// Refuses what another site made a browser send.
fn meant(request: &Parts, https: bool, signed_in: bool) -> Result<(), Fault> {
    match whence(&request.headers, &request.uri, https) {
        Whence::Elsewhere => return Err(elsewhere()),
        Whence::Unsaid if signed_in => return Err(elsewhere()),
        Whence::Unsaid | Whence::Ours => {}
    }
    // What a plain form can send is refused too, whatever the browser says about where it comes from.
    let kind = text(&request.headers, CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let form = matches!(kind.as_str(), "application/x-www-form-urlencoded" | "multipart/form-data" | "text/plain");
    if form { Err(crate::extract::wrong_kind("application/json")) } else { Ok(()) }
}

/// For [`crate::hostile`]: a token has no blank at its ends, and only our very own origin is ours.
pub fn read_hostile(headers: &HeaderMap, https: bool) {
    if let Ok(Some(token)) = bearer(headers) {
        assert_eq!(token, token.trim());
    }
    let uri = Uri::from_static("/");
    if headers.contains_key(ORIGIN) && whence(headers, &uri, https) == Whence::Ours {
        let (origin, host) = (text(headers, ORIGIN), text(headers, HOST));
        assert!(origin.to_ascii_lowercase().ends_with(&host.to_ascii_lowercase()) && !host.is_empty());
    }
}

/// A WebSocket is opened with the cookie and without CORS: only from our own pages.
pub fn socket_is_meant(headers: &HeaderMap, uri: &Uri, https: bool) -> Result<(), Fault> {
    if headers.contains_key(AUTHORIZATION) || whence(headers, uri, https) == Whence::Ours {
        return Ok(());
    }
    Err(Fault::forbidden(
        "auth.cross_site",
        "This connection does not come from this server's own pages. A program uses a personal access token instead of a cookie.",
    ))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_our_own_pages_can_change_something_with_a_cookie() {
        type Row<'a> = (&'a [(&'a str, &'a str)], bool, Result<(), &'a str>);
        let rows: &[Row<'_>] = &[
            (&[("origin", "http://a.test:7070")], true, Ok(())),
            (&[("origin", "http://A.test:7070")], true, Ok(())),
            (&[("origin", "https://a.test:7070")], true, Err("auth.cross_site")),
            (&[("origin", "http://x.a.test:7070")], true, Err("auth.cross_site")),
            (&[("origin", "http://a.test")], true, Err("auth.cross_site")),
            (&[("origin", "null")], true, Err("auth.cross_site")),
            (&[("origin", "http://evil.test")], false, Err("auth.cross_site")),
            (&[("sec-fetch-site", "same-origin")], true, Ok(())),
            (&[("sec-fetch-site", "same-site")], true, Err("auth.cross_site")),
            (&[("sec-fetch-site", "cross-site")], false, Err("auth.cross_site")),
            (&[], true, Err("auth.cross_site")),
            (&[], false, Ok(())),
            (&[("origin", "http://a.test:7070"), ("content-type", "text/plain; x")], true, Err("request.content_type")),
        ];
        for (headers, signed_in, expected) in rows {
            let mut request =
                Request::builder().method("POST").uri("/api/v1/me/password").header("host", "a.test:7070");
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let answer = meant(&request.body(Body::empty()).unwrap().into_parts().0, false, *signed_in)
                .map_err(|fault| fault.code);
            assert_eq!(answer, *expected, "{headers:?} {signed_in}");
        }
    }
}
