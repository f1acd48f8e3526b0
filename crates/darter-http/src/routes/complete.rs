//! What was begun is finished: a change goes on when its client goes away in the middle.
//!
//! Without this, a connection that breaks after a commit would keep the change from reaching the instances that run.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use darter_core::Fault;

use crate::problem::Problem;

/// Runs a change in a task of its own. Reading needs none: nobody misses an answer that nobody waits for.
pub async fn to_the_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let work = tokio::spawn(async move { next.run(request).await });
    work.await.unwrap_or_else(|error| Problem(Fault::internal(error)).into_response())
}
