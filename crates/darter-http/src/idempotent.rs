//! `Idempotency-Key`: a creation that is sent twice is done once. The whole request is read and the whole answer kept,
//! both within limits; a request without the header passes untouched.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use darter_core::{AccountId, Fault};
use darter_platform::app::ARCHIVE_LIMIT;
use darter_platform::idempotency::{ANSWER_LIMIT, Answer, Keyed, begin, end, leave_open};
use darter_platform::{Actor, Platform};
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::extract::{JSON_LIMIT, read};
use crate::problem::Problem;

/// Where the key is.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Answers a repeated creation with its first answer.
pub async fn keep(State(platform): State<Arc<Platform>>, request: Request, next: Next) -> Response {
    let key = request.headers().get(&KEY).map(|key| key.to_str().unwrap_or_default().to_owned());
    let account = request.extensions().get::<Actor>().and_then(Actor::person).map(|person| person.account.clone());
    match (request.method() == Method::POST, key, account) {
        (true, Some(key), Some(account)) => {
            once(&platform, (account, key), (request, next)).await.unwrap_or_else(IntoResponse::into_response)
        }
        _ => next.run(request).await,
    }
}

async fn once(
    platform: &Arc<Platform>,
    (account, key): (AccountId, String),
    (request, next): (Request, Next),
) -> Result<Response, Problem> {
    let import = request.uri().path().ends_with("/apps/import");
    let limit = if import { ARCHIVE_LIMIT + 1 } else { JSON_LIMIT };
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut reading = Request::new(body);
    *reading.headers_mut() = parts.headers.clone();
    *reading.extensions_mut() = parts.extensions.clone();
    let body = read(reading, limit).await?;
    let keyed = Keyed::new(account, &key, (parts.method.as_str(), &path, &body))?;
    if let Some(answer) = begin(platform, &keyed).await? {
        return replay(answer);
    }
    // The work goes on when the client goes away: its answer is for the next time it asks.
    let (owned, work) = (Arc::clone(platform), next.run(Request::from_parts(parts, Body::from(body))));
    let done = tokio::spawn(async move { finish(&owned, &keyed, work.await).await });
    done.await.map_err(|error| Problem(Fault::internal(error)))?
}

/// Keeps the answer of a creation; what was refused made nothing and lets go of the key. After a mistake of ours nobody
/// knows what was made: the key stays taken.
async fn finish(platform: &Platform, keyed: &Keyed, answer: Response) -> Result<Response, Problem> {
    if answer.status() == StatusCode::INTERNAL_SERVER_ERROR {
        leave_open(platform, keyed).await?;
        return Ok(answer);
    }
    if !answer.status().is_success() {
        end(platform, keyed, None).await?;
        return Ok(answer);
    }
    let (parts, body) = answer.into_parts();
    let bytes = to_bytes(body, ANSWER_LIMIT).await.map_err(|error| Problem(Fault::internal(error)))?;
    let header = |name: HeaderName| Some((name.to_string(), parts.headers.get(&name)?.to_str().ok()?.to_owned()));
    let kept = Answer {
        status: parts.status.as_u16(),
        headers: [CONTENT_TYPE, ETAG].into_iter().filter_map(header).collect(),
        body: bytes.to_vec(),
    };
    end(platform, keyed, Some(&kept)).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(answer: Answer) -> Result<Response, Problem> {
    let damaged = |what: &dyn std::fmt::Display| Problem(Fault::internal(format!("a kept answer is damaged: {what}")));
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|error| damaged(&error))?;
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).map_err(|error| damaged(&error))?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(|error| damaged(&error))?);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
