//! One request on its way into a workspace: HTTP/1.1 over a connection of its own, streamed both ways.
//!
//! The other end is hostile: its head is bounded, its framing is hyper's to check, its cookies stay at home.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use darter_core::WorkspaceId;
use darter_core::workspace::Door;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_EXTENSIONS, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::doors::{Connection, WorkspaceRoute};
use super::proof::Proof;
use super::tunnel::Talk;
use super::{cookie, door, inward, tunnel};
use crate::context::Context;
use crate::page::Problem;
use crate::phase::upgrade::Upgrade;
use crate::phase::{answer, headers};
use crate::reply::ReplyBody;
use crate::server::Inner;

/// How long a program inside may take until its answer begins. An editor that is starting counts, too.
const HEAD_DEADLINE: Duration = Duration::from_secs(120);
/// Between two looks at a workspace at rest, from memory.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest head that is read from inside.
const MAX_HEAD: usize = 64 << 10;

/// Keeps a workspace in use until everybody who shares it has let go.
pub(super) type Lease = Arc<dyn Any + Send + Sync>;

/// Where a request goes.
pub(super) struct Way<'a> {
    pub door: Door,
    /// The path to ask for instead of the client's own.
    pub target: Option<&'static str>,
    pub route: &'a WorkspaceRoute,
    /// By what whoever asks was let in.
    pub proof: Proof,
}

/// Sends the request inside and gives back what comes out.
pub(super) async fn forward(
    inner: &Arc<Inner>,
    context: &Context,
    way: Way<'_>,
    (mut request, upgrade): (Request<Incoming>, Option<Upgrade>),
) -> Result<Response<ReplyBody>, Problem> {
    let path = request.uri().path().to_owned();
    if way.door == Door::Editor && upgrade.is_some() && way.route.front.can_wait(&path) {
        until_awake(inner, &way.route.id).await;
    }
    let connection = inner.doors.connect(&way.route.id, way.door).await?;
    prepare(&mut request, context, &way, upgrade.is_some())?;
    let tls = matches!(way.door, Door::Port(port) if inner.doors.wants_tls(&way.route.id, port));
    let (mut reply, lease) = exchange(inner, connection, request, (way.door, tls)).await?;
    answer::clean(reply.headers_mut(), &inner.config.apps_domain);
    keep_platform_cookies_out(reply.headers_mut());
    match upgrade {
        Some(upgrade) if reply.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let talk = Talk::of(&way, &path);
            Ok(tunnel::open(inner, upgrade, reply, (lease, talk, way.proof)))
        }
        Some(_) | None if reply.status() == StatusCode::SWITCHING_PROTOCOLS => Err(broken(way.door)),
        Some(_) | None => Ok(reply.map(|body| held(body, lease))),
    }
}

/// What a page connects again by itself wakes nobody: it is there when somebody does something.
async fn until_awake(inner: &Inner, id: &WorkspaceId) {
    while inner.doors.rests(id) {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = inner.stopping.cancelled() => return,
        }
    }
}

/// The head as the program inside will see it.
fn prepare(request: &mut Request<Incoming>, context: &Context, way: &Way<'_>, upgrade: bool) -> Result<(), Problem> {
    let target = way.target.map_or_else(
        || request.uri().path_and_query().map_or_else(|| "/".to_owned(), |target| target.as_str().to_owned()),
        |path| request.uri().query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
    );
    *request.uri_mut() = Uri::try_from(target)
        .map_err(|_| Problem::new(400, "request.target_invalid", "The path cannot be passed on as it is."))?;
    if upgrade {
        // HTTP/2 asks for a WebSocket by CONNECT.
        *request.method_mut() = http::Method::GET;
    }
    *request.version_mut() = Version::HTTP_11;
    door::strip(request.headers_mut());
    headers::forward(request.headers_mut(), context, upgrade);
    if way.door == Door::Editor && way.route.front.keep_alive().is_some() {
        // What is compressed has another length; and it saves the server inside work and memory.
        request.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
    }
    if let (Door::Editor, Some(credential)) = (way.door, way.route.front.credential())
        && let Ok(mut value) = HeaderValue::from_str(credential)
    {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(())
}

async fn exchange(
    inner: &Arc<Inner>,
    connection: Connection,
    request: Request<Incoming>,
    (door, tls): (Door, bool),
) -> Result<(Response<Incoming>, Lease), Problem> {
    let lease: Lease = Arc::from(connection.lease);
    let asked = async {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD);
        let stream = inward::open(connection.stream, tls).await?;
        let (mut sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        let kept = Arc::clone(&lease);
        inner.tasks.spawn(async move {
            // How it ends is seen by whoever reads the answer.
            let _ = driver.with_upgrades().await;
            drop(kept);
        });
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(sender.send_request(request).await?)
    };
    match tokio::time::timeout(HEAD_DEADLINE, asked).await {
        Ok(Ok(reply)) => Ok((reply, lease)),
        Ok(Err(error)) => {
            tracing::debug!(%error, ?door, "a program in a workspace did not answer");
            Err(broken(door))
        }
        Err(_) => Err(Problem::new(
            504,
            "workspace.timeout",
            "The program in the workspace did not answer within two minutes. Look at the workspace's log, or restart it in the console.",
        )
        .retry_after(5)),
    }
}

fn broken(door: Door) -> Problem {
    let (code, message) = match door {
        Door::Port(_) => (
            "workspace.port_closed",
            "The program at this port ended the connection without an answer. Look at its output in the workspace's terminal.",
        ),
        Door::Editor | Door::Attendant => (
            "workspace.crashed",
            "The editor ended while it worked on this request. It is started again; the console says why it ended.",
        ),
    };
    Problem::new(502, code, message).retry_after(1)
}

fn keep_platform_cookies_out(headers: &mut HeaderMap) {
    let ours = |value: &HeaderValue| {
        let name = value.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        cookie::is_ours(name)
    };
    if !headers.get_all(SET_COOKIE).iter().any(ours) {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().filter(|value| !ours(value)).cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in kept {
        headers.append(SET_COOKIE, cookie);
    }
}

fn held(body: Incoming, lease: Lease) -> ReplyBody {
    ReplyBody::console(Held { body, _lease: lease }.map_err(Into::into).boxed_unsync())
}

/// A body that keeps its workspace in use.
struct Held {
    body: Incoming,
    _lease: Lease,
}

impl Body for Held {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(task)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
