//! Whether a browser's request comes from the workspace's own pages. Workspaces and apps of other tenants live on the
//! same site, so the cookies come along with whatever their pages make a browser send: the cookie alone proves nothing.

use darter_core::WorkspaceId;
use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::address;
use super::doors::Spot;
use crate::context::Context;
use crate::page::Problem;

/// Refuses what another page made the browser send. Top-level navigations are fine: they show a page, to its reader.
pub(crate) fn meant(
    spot: &Spot,
    apps_domain: &str,
    context: &Context,
    (method, headers, upgrade): (&Method, &HeaderMap, bool),
) -> Result<(), Problem> {
    let whence = whence(&spot.id, apps_domain, context, headers);
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && !upgrade;
    let allowed = match whence {
        Whence::Own => true,
        // A program, or an old browser: such a browser sends Origin with whatever changes something.
        Whence::Unsaid => !upgrade || !is_browser(headers),
        Whence::Foreign => safe && is_navigation(headers),
    };
    if allowed {
        return Ok(());
    }
    Err(Problem::new(
        403,
        "workspace.cross_site",
        "This request was sent by a page of another site, so it was not let in. Open the workspace in a tab of its own.",
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whence {
    /// A page of this workspace: the editor, or one of its ports.
    Own,
    Foreign,
    Unsaid,
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn fetch<'a>(headers: &'a HeaderMap, what: &'static str) -> Option<&'a str> {
    text(headers, &http::HeaderName::from_static(what))
}

fn whence(id: &WorkspaceId, apps_domain: &str, context: &Context, headers: &HeaderMap) -> Whence {
    if headers.contains_key(ORIGIN) {
        // One that is no text, or a second one, is nobody's that we know.
        let own = |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| is_own(id, apps_domain, context, origin));
        return if headers.get_all(ORIGIN).iter().all(own) { Whence::Own } else { Whence::Foreign };
    }
    match fetch(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => Whence::Own,
        Some("same-site") if text(headers, &REFERER).is_some_and(|page| is_own(id, apps_domain, context, page)) => {
            Whence::Own
        }
        Some(_) => Whence::Foreign,
        None => Whence::Unsaid,
    }
}

/// Is this an address of the same workspace, by the same scheme and port?
fn is_own(id: &WorkspaceId, apps_domain: &str, context: &Context, address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    let scheme = if context.https { "https" } else { "http" };
    let port = |text: &str| text.rsplit_once(':').map(|(_, port)| port.to_owned());
    let same_port = port(uri.authority().map_or("", |authority| authority.as_str()))
        == context.authority.to_str().ok().and_then(port);
    let label = uri.host().and_then(|host| host.strip_suffix(apps_domain)).and_then(|rest| rest.strip_suffix('.'));
    let same = label.and_then(address::spot).is_some_and(|spot| spot.id == *id);
    uri.scheme_str() == Some(scheme) && same_port && same
}

fn is_navigation(headers: &HeaderMap) -> bool {
    fetch(headers, "sec-fetch-mode") == Some("navigate") && fetch(headers, "sec-fetch-dest") == Some("document")
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(http::header::COOKIE)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::HeaderName;

    use super::*;
    use crate::context::Wants;

    fn context() -> Context {
        Context {
            request_id: HeaderValue::from_static("r"),
            client: [127, 0, 0, 1].into(),
            client_text: "127.0.0.1".into(),
            proxy: None,
            https: false,
            host: "ada-abcdefghjk.apps.test".into(),
            authority: HeaderValue::from_static("ada-abcdefghjk.apps.test:7070"),
            began: Instant::now(),
            time: 0,
            wants: Wants { html: true, chinese: false },
        }
    }

    #[test]
    fn only_the_workspaces_own_pages_can_do_something_with_its_cookies() {
        let own = "http://ada-abcdefghjk.apps.test:7070";
        let ports = "http://3000-abcdefghjk.apps.test:7070";
        let sibling = "http://eve-bbcdefghjk.apps.test:7070";
        type Way<'a> = (&'a str, bool, &'a [(&'a str, &'a str)], bool);
        let ways: &[Way<'_>] = &[
            ("GET", true, &[("origin", own)], true),
            ("GET", true, &[("origin", ports)], true),
            ("GET", true, &[("origin", sibling)], false),
            ("GET", true, &[("origin", "http://ada-abcdefghjk.apps.test")], false),
            ("GET", true, &[("origin", "https://ada-abcdefghjk.apps.test:7070")], false),
            ("GET", true, &[("origin", "http://abcdefghjk.evil.test:7070")], false),
            ("GET", true, &[("origin", "null")], false),
            ("GET", true, &[("cookie", "darter_door=x")], false),
            ("GET", true, &[], true),
            ("POST", false, &[("origin", own)], true),
            ("POST", false, &[("origin", sibling)], false),
            ("POST", false, &[("sec-fetch-site", "same-site")], false),
            ("POST", false, &[("sec-fetch-site", "same-origin")], true),
            (
                "POST",
                false,
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
                false,
            ),
            (
                "GET",
                false,
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
                true,
            ),
            (
                "GET",
                false,
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
                false,
            ),
            ("GET", false, &[("sec-fetch-site", "same-site"), ("sec-fetch-dest", "iframe"), ("referer", own)], true),
            ("GET", false, &[("sec-fetch-site", "same-site"), ("sec-fetch-dest", "script")], false),
            ("GET", false, &[("sec-fetch-site", "none")], true),
        ];
        let spot = Spot { id: "abcdefghjk".parse().unwrap(), port: None };
        for (method, upgrade, headers, allowed) in ways {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
            }
            let method = method.parse().unwrap();
            let verdict = meant(&spot, "apps.test", &context(), (&method, &map, *upgrade));
            assert_eq!(verdict.is_ok(), *allowed, "{method} {upgrade} {headers:?}");
        }
    }
}
