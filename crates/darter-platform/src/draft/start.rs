//! One run of a draft: compile, take a place in an instance that knows the draft, send the request, collect.
//!
//! Never publishes, works on a stopped app, and always answers: what goes wrong inside the function is a result that
//! says so, with the logs up to there.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use darter_api::draft::{RunRequest, RunResult};
use darter_core::{AppId, Fault, Kind, RequestId};
use darter_engine::FunctionCode;
use darter_store::function;
use darter_store::logs::{Filter, Line};
use darter_wire::{Lease, RequestHead, WireError};
use tokio::sync::broadcast;

use super::request::{Prepared, prepare};
use crate::access::Opened;
use crate::app::app_url;
use crate::function::compile::build_aside;
use crate::function::not_found;
use crate::function::phase;
use crate::logs::show;
use crate::{Actor, Platform, resource};

/// Bytes of an answer that are shown.
const BODY_LIMIT: usize = 1 << 20;
/// Lines of a run's log that are shown.
const LOG_LIMIT: usize = 1_000;
/// Log lines come on another channel than the answer: how long the last ones may take.
const LAST_LINES: Duration = Duration::from_millis(25);

/// What came back of a request.
struct Outcome {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    truncated: bool,
}

/// Runs the draft, or the given source.
pub async fn run(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    input: RunRequest,
) -> Result<RunResult, Fault> {
    let (draft, secret, limits) = {
        let mut opened = Opened::read_to_edit(platform, actor, app).await?;
        let draft = function::lookup(&mut opened.tx, app, name).await?.ok_or_else(|| not_found(name))?;
        (draft, resource::server_secret(platform, &opened.app.app)?, opened.app.app.limits)
    };
    check_body(&input, limits.request_body_bytes)?;
    let url = app_url(platform, app);
    let prepared = prepare(name, &input, url.split("://").nth(1).unwrap_or_default(), &secret)?;
    let began = Instant::now();
    let built = build_aside(name, input.source.as_deref().unwrap_or(&draft.source)).await?;
    let mut phases = vec![phase("compile", began.elapsed())];
    let request_id = RequestId::generate(platform.clock.now(), &*platform.random);
    let mut tail = platform.apps.logs.subscribe(app);
    let code = FunctionCode {
        name: name.to_owned(),
        version: 0,
        code: built.code,
        map: Some(built.map).filter(|map| !map.is_empty()),
        methods: draft.summary.methods,
        imports: built.imports,
    };
    let lease = platform.engine.draft(app, request_id.as_str(), code).await?;
    for (name, us) in lease.start.iter().flat_map(|start| &start.phases) {
        phases.push(phase(name, Duration::from_micros(*us)));
    }
    let sent = Instant::now();
    let limit = Duration::from_millis(limits.total_timeout_ms);
    let body = Bytes::from(input.body.unwrap_or_default());
    let outcome = send(&lease, (&prepared, request_id.as_str()), body, limit).await;
    let took = sent.elapsed();
    drop(lease);
    phases.push(phase("run", took));
    let logs = collect(platform, &mut tail, request_id.as_str()).await;
    let (body, base64) = text_of(&outcome.body, outcome.truncated);
    Ok(RunResult {
        request_id: request_id.to_string(),
        status: outcome.status,
        headers: outcome.headers,
        body,
        base64,
        truncated: outcome.truncated,
        logs,
        duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        phases,
    })
}

fn check_body(input: &RunRequest, limit: u64) -> Result<(), Fault> {
    let size = input.body.as_ref().map_or(0, String::len) as u64;
    if size <= limit {
        return Ok(());
    }
    let message = format!(
        "The body has {size} bytes; this app takes {limit}. Raise request_body_bytes in its limits, or send less."
    );
    Err(Fault::new(Kind::TooLarge, "run.body_too_large", message))
}

async fn send(lease: &Lease, (prepared, id): (&Prepared, &str), body: Bytes, limit: Duration) -> Outcome {
    let pin = format!("draft:{id}");
    let head = RequestHead {
        method: &prepared.method,
        target: &prepared.target,
        request_id: id,
        client_ip: "127.0.0.1",
        deadline_ms: u64::try_from(limit.as_millis()).unwrap_or(0),
        pin: &pin,
        headers: &prepared.headers,
    };
    match tokio::time::timeout(limit, receive(lease, &head, body)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => failed(
            502,
            "function.failed",
            format!("The instance ended before the answer was complete ({error}). Its log says more."),
        ),
        Err(_) => failed(
            504,
            "function.timeout",
            format!(
                "The function did not answer within {} ms. Look for an await that never ends, or raise total_timeout_ms.",
                limit.as_millis()
            ),
        ),
    }
}

async fn receive(lease: &Lease, head: &RequestHead<'_>, body: Bytes) -> Result<Outcome, WireError> {
    let mut response = lease.connection.request(head, body).await?;
    let mut kept = BytesMut::new();
    let mut truncated = false;
    while let Some(chunk) = response.body.chunk().await {
        let chunk = chunk?;
        let room = BODY_LIMIT - kept.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            truncated = true;
            break;
        }
    }
    let headers = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Outcome { status: response.status.as_u16(), headers: headers.collect(), body: kept.freeze(), truncated })
}

fn failed(status: u16, code: &str, message: String) -> Outcome {
    let body = serde_json::json!({ "error": { "code": code, "message": message } }).to_string();
    Outcome {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.into(),
        truncated: false,
    }
}

/// Text as it is; everything else as base64. A cut in the middle of a character is no reason for base64.
fn text_of(body: &Bytes, truncated: bool) -> (String, bool) {
    match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(error) if truncated && error.error_len().is_none() => {
            (String::from_utf8_lossy(&body[..error.valid_up_to()]).into_owned(), false)
        }
        Err(_) => (BASE64.encode(body), true),
    }
}

async fn collect(
    platform: &Platform,
    tail: &mut broadcast::Receiver<std::sync::Arc<Line>>,
    request_id: &str,
) -> Vec<darter_api::log::LogLine> {
    let filter = Filter { request_id: Some(request_id.to_owned()), ..Filter::default() };
    platform.apps.logs.flush().await;
    let mut lines = Vec::new();
    let until = tokio::time::Instant::now() + LAST_LINES;
    loop {
        match tokio::time::timeout_at(until, tail.recv()).await {
            Ok(Ok(line)) if filter.takes_line(&line) => lines.push(show(&line)),
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return lines,
        }
        if lines.len() >= LOG_LIMIT {
            return lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_text_where_they_are_text() {
        let rows: [(&[u8], bool, (&str, bool)); 4] = [
            (b"plain", false, ("plain", false)),
            (b"\xff\x00", false, ("/wA=", true)),
            ("ü".as_bytes(), false, ("ü", false)),
            (&"aü".as_bytes()[..2], true, ("a", false)),
        ];
        for (bytes, truncated, (text, base64)) in rows {
            assert_eq!(text_of(&Bytes::copy_from_slice(bytes), truncated), (text.to_owned(), base64));
        }
    }
}
