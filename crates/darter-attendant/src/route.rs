//! Which path is answered by what. Holds no rule of its own.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use serde_json::json;

use crate::answer::{self, Answer, Body};
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::params::Params;
use crate::{archive, claim, disk, editor, events, exec, files, relay, session, sftp, snapshot, terminal};

pub(crate) async fn answer(
    attendant: Arc<Attendant>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    Ok(route(attendant, request).await.unwrap_or_else(|fault| answer::fault(&fault)))
}

async fn route(attendant: Arc<Attendant>, request: Request<Incoming>) -> Answer {
    if request.method() == Method::CONNECT {
        return relay::connect(request).await;
    }
    let path = request.uri().path().to_owned();
    match (request.method().as_str(), path.as_str()) {
        ("GET", "/v1/health") => health(&attendant),
        ("GET", "/v1/events") => events::stream(attendant),
        ("GET", "/v1/files") => files::read::answer(request).await,
        ("PUT", "/v1/files") => files::write::answer(attendant, request).await,
        ("GET", "/v1/list") => files::list::answer(request).await,
        ("GET", "/v1/stat") => files::stat::answer(request).await,
        ("GET", "/v1/archive") => archive::pack::answer(request).await,
        ("POST", "/v1/archive") => archive::unpack::answer(attendant, request).await,
        ("GET", "/v1/terminal") => terminal::socket::upgrade(attendant, request),
        ("GET", "/v1/terminals") => terminal::list(&attendant),
        ("GET", "/v1/exec") => exec::upgrade(attendant, request),
        ("GET", "/v1/sftp") => sftp::upgrade(attendant, request),
        ("POST", "/v1/snapshot") => snapshot::take::answer(&attendant, request).await,
        ("POST", "/v1/restore") => snapshot::restore::answer(&attendant, request).await,
        ("GET", "/v1/session") => session::upgrade(attendant, request),
        ("POST", command) => {
            let command = command.to_owned();
            let params = Params::of_body(request.into_body()).await?;
            post(&attendant, &command, &params).await
        }
        (method, path) => Err(unknown(method, path)),
    }
}

/// What is asked for with a small JSON body.
async fn post(attendant: &Arc<Attendant>, path: &str, params: &Params) -> Answer {
    match path {
        "/v1/claim" => claim::claim(attendant, params),
        "/v1/editor/warm" => editor::warm(attendant, params),
        "/v1/editor/start" => editor::start(attendant),
        "/v1/editor/stop" => editor::stop(attendant, params).await,
        "/v1/sync" => disk::sync(attendant).await,
        "/v1/mkdir" => answer::json(&files::change::make_folder(params).await?),
        "/v1/rename" => answer::json(&files::change::rename(params).await?),
        "/v1/copy" => answer::json(&files::change::copy(params).await?),
        "/v1/delete" => answer::json(&files::change::delete(params).await?),
        "/v1/terminal/close" => terminal::close(attendant, params),
        path => Err(unknown("POST", path)),
    }
}

fn unknown(method: &str, path: &str) -> Fault {
    Fault::new("request.unknown", format!("{method} {path} is nothing that the attendant does"))
}

fn health(attendant: &Attendant) -> Answer {
    answer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "editor": attendant.editor.state(),
        "claimed": attendant.claim.get().is_some(),
        "uptime_ms": u64::try_from(attendant.started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}
