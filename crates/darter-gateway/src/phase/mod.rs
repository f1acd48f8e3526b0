//! The phases of a request, in their order. Read [`serve`] and [`serve_app`] from top to bottom.

mod admit;
pub(crate) mod answer;
mod body;
mod cors;
mod deadline;
mod develop;
mod forward;
pub(crate) mod headers;
pub(crate) mod hostile;
mod identify;
mod meter;
mod route;
mod tunnel;
pub(crate) mod upgrade;
mod upload;
mod wake;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::HeaderName;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::ServiceExt;

pub use admit::Buckets;
pub use body::AppBody;
pub use meter::Meter;

use crate::config::GatewayConfig;
use crate::context::{Context, Peer};
use crate::directory::AppRoute;
use crate::intake::Intake;
use crate::page::{self, Problem};
use crate::reply::ReplyBody;
use crate::server::Inner;
use crate::workspace;
use answer::Timing;
use cors::Cors;
use deadline::Deadlines;
use route::Target;

/// Laf's name for the request id; functions' callers know it.
const LAF_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Proves that the caller may see the app's timings. Never enters a sandbox.
const DARTER_TOKEN: HeaderName = HeaderName::from_static("darter-token");

/// Every request of every client comes through here.
pub(crate) async fn serve(inner: Arc<Inner>, peer: &Peer, request: Request<Incoming>) -> Response<ReplyBody> {
    inner.counters.requests.fetch_add(1, Ordering::Relaxed);
    let (context, checked) = identify::identify(&inner, peer, &request);
    let meter = Box::new(Meter::begin(&inner, &context, &request));
    let target = match checked {
        Ok(()) => route::route(&inner.config, inner.directory.as_ref(), &context),
        Err(problem) => Target::Nowhere(problem),
    };
    match target {
        Target::App(app) => serve_app(&inner, context, app, request, meter).await,
        Target::Console => {
            let answer = serve_console(&inner, &context, request).await;
            finish(answer, &context, meter)
        }
        Target::Workspace(spot) => {
            let answer = workspace::serve(&inner, &context, &spot, request).await;
            finish(answer, &context, meter)
        }
        Target::Assets => finish(workspace::assets(&inner, &context, &request).await, &context, meter),
        Target::Nowhere(problem) => finish(page::render(&problem, &context), &context, meter),
    }
}

async fn serve_console(inner: &Inner, context: &Context, request: Request<Incoming>) -> Response<ReplyBody> {
    let mut request = request.map(|body| Intake::new(body, inner.config.stall_timeout));
    headers::vouch(request.headers_mut(), context);
    match inner.console.clone().oneshot(request).await {
        Ok(answer) => answer.map(ReplyBody::console),
        Err(never) => match never {},
    }
}

async fn serve_app(
    inner: &Arc<Inner>,
    context: Context,
    app: Arc<AppRoute>,
    request: Request<Incoming>,
    mut meter: Box<Meter>,
) -> Response<ReplyBody> {
    meter.of_app(&app.app);
    let cors = Cors::of(&request);
    let mut answer = match cors.preflight(&request) {
        Some(answer) => answer,
        None => match attempt(inner, &context, &app, request, &mut meter).await {
            Ok(answer) => answer,
            Err(problem) => {
                meter.failed(problem.code());
                if problem.status().as_u16() == 429 {
                    inner.counters.rate_limited.fetch_add(1, Ordering::Relaxed);
                }
                page::render_with(&problem, &context, in_console(&inner.config, &context, &app).as_deref())
            }
        },
    };
    cors.open(answer.headers_mut());
    let patience = Duration::from_millis(app.limits.idle_timeout_ms);
    finish(answer.map(|body| body.patient(patience)), &context, meter)
}

/// Where the console shows an app, unless it lives under a name of its own, whose visitors are not told who serves it.
fn in_console(config: &GatewayConfig, context: &Context, app: &AppRoute) -> Option<String> {
    let ours = context.host.ends_with(config.apps_domain.as_str());
    ours.then(|| config.in_console(&format!("/apps/{}", app.app))).flatten()
}

/// The way of one request into an app and back.
async fn attempt(
    inner: &Arc<Inner>,
    context: &Context,
    app: &AppRoute,
    mut request: Request<Incoming>,
    meter: &mut Box<Meter>,
) -> Result<Response<ReplyBody>, Problem> {
    // Admit.
    route::check_state(app)?;
    inner.buckets.take(&app.app, context.client, &app.limits, context.began)?;
    if let Some(uri) = develop::door(request.uri(), &app.app) {
        *request.uri_mut() = uri;
        return Ok(serve_console(inner, context, request).await);
    }
    let length = match admit::check_length(request.headers(), app.limits.request_body_bytes) {
        Ok(length) => length,
        Err(problem) => {
            upload::linger(inner, request);
            return Err(problem);
        }
    };
    let timing = match request.headers_mut().remove(DARTER_TOKEN) {
        Some(token) => {
            let token = token.to_str().unwrap_or_default();
            inner.directory.may_view(&app.app, token).await.then(|| Timing::begin(context.began))
        }
        None => None,
    };

    // Forward: the head as the function will see it, the body as far as it is here already.
    let deadlines = Deadlines::new(context.began, &app.limits);
    let address = route::address(request.uri());
    let upgrade = upgrade::wanted(&mut request);
    headers::forward(request.headers_mut(), context, upgrade.is_some());
    let (parts, body) = request.into_parts();
    let upload = match &upgrade {
        Some(_) => upload::Upload::Tunnel,
        None => upload::begin(body, length, app.limits.request_body_bytes).await?,
    };
    let exchange = forward::Exchange { inner, context, app, parts: &parts, address: &address, deadlines: &deadlines };
    let (mut reply, lease, rest) = exchange.run(upload, meter).await?;

    // Answer.
    meter.answered(&mut reply, lease.start.as_ref());
    let timing = timing.map(|timing| timing.header(lease.start.as_ref()));
    let mut answer = match (upgrade, rest) {
        (Some(upgrade), forward::Rest::Tunnel(sink)) if reply.upgraded => {
            return Ok(tunnel::open(inner, (upgrade, sink), reply, lease, &deadlines));
        }
        (_, rest) => {
            rest.detach(inner, &deadlines);
            answer::answer(inner, &parts.method, reply, lease, &deadlines)
        }
    };
    if let Some(timing) = timing {
        answer.headers_mut().append(answer::SERVER_TIMING, timing);
    }
    Ok(answer)
}

/// What every answer carries, and the meter that goes with it.
fn finish(mut answer: Response<ReplyBody>, context: &Context, mut meter: Box<Meter>) -> Response<ReplyBody> {
    let headers = answer.headers_mut();
    headers.insert(identify::REQUEST_ID, context.request_id.clone());
    headers.insert(LAF_REQUEST_ID, context.request_id.clone());
    let status = answer.status();
    meter.status(status.as_u16());
    answer.map(|body| body.metered(meter))
}

/// How long the rest of a refused body is read and thrown away, so that the client gets to read the answer.
const LINGER: Duration = Duration::from_secs(5);
/// How much of it.
const LINGER_BYTES: usize = 16 << 20;
