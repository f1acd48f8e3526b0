//! Requests for workspaces, phase by phase. Read [`serve`] and [`attempt`] from top to bottom.
//!
//! Nothing of the platform enters a sandbox: not a cookie of the door, not a token. Nothing of a sandbox is believed.

mod address;
mod cookie;
mod door;
mod doors;
mod files;
mod frames;
mod guard;
pub(crate) mod hostile;
mod inward;
mod none;
mod own;
mod proof;
mod proxy;
mod tunnel;

use std::sync::Arc;

use darter_core::workspace::Door;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

pub(crate) use address::{ASSETS, spot};
pub use doors::{Accepted, Connection, Doors, Entry, Front, Page, PageAsk, Signal, Spot, StaticFile, WorkspaceRoute};
pub(crate) use files::assets;
pub use none::NoWorkspaces;

use proof::Proof;

use crate::context::Context;
use crate::page::{self, Problem};
use crate::phase::upgrade;
use crate::reply::ReplyBody;
use crate::server::Inner;

/// Everything that a workspace's host is asked.
pub(crate) async fn serve(
    inner: &Arc<Inner>,
    context: &Context,
    spot: &Spot,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    attempt(inner, context, spot, request).await.unwrap_or_else(|problem| failed(inner, context, spot, &problem))
}

/// A page that leads on to the workspace in the console, or to one's own list when it is not known to be theirs.
fn failed(inner: &Inner, context: &Context, spot: &Spot, problem: &Problem) -> Response<ReplyBody> {
    let known = !matches!(problem.code(), "workspace.not_found" | "workspace.sign_in" | "workspace.cross_site");
    let path = if known { format!("/workspaces/{}", spot.id) } else { "/workspaces".into() };
    page::render_with(problem, context, inner.config.in_console(&path).as_deref())
}

async fn attempt(
    inner: &Arc<Inner>,
    context: &Context,
    spot: &Spot,
    mut request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Problem> {
    // Whose is it, and is this its one address?
    let route = inner.doors.route(&spot.id).ok_or_else(not_found)?;

    // Who asks, and did they mean it? What is the platform's own is so on a public port, too.
    let upgrade = upgrade::wanted(&mut request);
    let public = spot.port.is_some_and(|port| inner.doors.is_public(&spot.id, port));
    let ours = request.uri().path().starts_with(own::PREFIX);
    let mut cookies = Vec::new();
    if !public || ours {
        match door::admit(inner, context, spot, (&request, upgrade.is_some())).await? {
            door::Verdict::In(fresh) => cookies = fresh,
            door::Verdict::Answer(answer) => return Ok(answer),
        }
        let asked = (request.method(), request.headers(), upgrade.is_some());
        guard::meant(spot, &inner.config.apps_domain, context, asked)?;
        // Only now: a workspace's label has its owner's name in it.
        if let Some(answer) = correct(inner, context, spot, (&route, &request)) {
            return Ok(answer);
        }
    }
    let proof = Proof::of(spot, context, request.headers());

    // What the gateway answers itself, and what goes inside.
    let answer = match spot.port {
        Some(_) if ours => own::answer_of_port(&request),
        Some(port) => {
            let way = proxy::Way { door: Door::Port(port), target: None, route: &route, proof };
            proxy::forward(inner, context, way, (request, upgrade)).await
        }
        None if request.uri().path().starts_with(own::PREFIX) => {
            own::answer(inner, context, (&route, proof), (request, upgrade)).await
        }
        None => match here(inner, context, &route, &request).await? {
            Some(answer) => Ok(answer),
            None => {
                let way = proxy::Way { door: Door::Editor, target: None, route: &route, proof };
                proxy::forward(inner, context, way, (request, upgrade)).await
            }
        },
    };
    let mut answer = answer.unwrap_or_else(|problem| failed(inner, context, spot, &problem));
    for cookie in cookies {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

fn not_found() -> Problem {
    Problem::new(
        404,
        "workspace.not_found",
        "No workspace lives at this address. Check the address; the workspace may have been deleted.",
    )
}

/// A page under another decoration than the workspace's own (its owner was renamed) moves to the right one.
fn correct(
    inner: &Inner,
    context: &Context,
    spot: &Spot,
    (route, request): (&WorkspaceRoute, &Request<Incoming>),
) -> Option<Response<ReplyBody>> {
    let label = context.host.split('.').next().unwrap_or_default();
    let page = matches!(*request.method(), Method::GET | Method::HEAD) && context.wants.html;
    if spot.port.is_some() || label == &*route.label || !page {
        return None;
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let port = context.authority.to_str().ok().and_then(|authority| authority.rsplit_once(':')).map(|(_, port)| port);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let scheme = if context.https { "https" } else { "http" };
    Some(redirect(&format!("{scheme}://{}.{}{port}{target}", route.label, inner.config.apps_domain)))
}

/// Sends a browser elsewhere; nobody keeps that in mind.
fn redirect(to: &str) -> Response<ReplyBody> {
    let mut answer = Response::new(ReplyBody::whole(""));
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/")));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

/// The editor's page and files. Rendering the page wakes what it will need while the browser loads.
async fn here(
    inner: &Arc<Inner>,
    context: &Context,
    route: &WorkspaceRoute,
    request: &Request<Incoming>,
) -> Result<Option<Response<ReplyBody>>, Problem> {
    let path = request.uri().path();
    if let (&Method::POST, "/mint-key", Some(seal)) = (request.method(), path, route.front.seal()) {
        return Ok(Some(sealing(seal)));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(None);
    }
    if let Some(to) = route.front.leads(path) {
        return Ok(Some(redirect(to)));
    }
    if let Some(file) = route.front.file(path, accepted(request.headers())) {
        return Ok(Some(files::send(&file, request.method()).await?));
    }
    let authority = context.authority.to_str().unwrap_or_default();
    let assets = files::address(inner, context, route.front.digest());
    let ask = PageAsk {
        path,
        query: request.uri().query().unwrap_or_default(),
        authority,
        https: context.https,
        assets: &assets,
        language: if context.wants.chinese { "zh-cn" } else { "en" },
    };
    let Some(page) = route.front.page(&ask) else { return Ok(None) };
    if let Some(door) = page.wakes {
        inner.doors.wake(&route.id, door).await?;
    }
    if !page.unless.is_empty() && inner.doors.has_any(&route.id, &page.unless).await? {
        return Ok(None);
    }
    inner.doors.touch(&route.id, Signal::Input);
    let mut answer = Response::new(ReplyBody::whole(page.html));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::try_from(page.content_security_policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(Some(answer))
}

/// What VS Code's page asks for (`POST /mint-key`) to seal its secrets with.
fn sealing(seal: [u8; 32]) -> Response<ReplyBody> {
    let mut answer = Response::new(ReplyBody::whole(seal.to_vec()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn accepted(headers: &HeaderMap) -> Accepted {
    let lists = |wanted: &str| {
        let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            named && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0"))
        })
    };
    Accepted { brotli: lists("br"), gzip: lists("gzip") }
}
