//! GitHub's OAuth and the two calls of its API that say who somebody is. A refused code is answered with status 200 and
//! an error inside, as GitHub does.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::{CLIENT, SECRET, State, Stranger};

type Words = HashMap<String, String>;

pub(super) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/login/oauth/authorize", get(authorize))
        .route("/login/oauth/access_token", post(token))
        .route("/api/v3/user", get(user))
        .route("/api/v3/user/emails", get(emails))
}

async fn authorize(Shared(state): Shared<Arc<State>>, Query(query): Query<Words>) -> Response {
    state.authorize(&query)
}

async fn token(Shared(state): Shared<Arc<State>>, Form(form): Form<Words>) -> Response {
    if let Some(lie) = state.misbehave().await {
        return lie;
    }
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if (given("client_id"), given("client_secret")) != (CLIENT, SECRET) {
        return Json(json!({ "error": "incorrect_client_credentials" })).into_response();
    }
    let Some(grant) = state.redeem(&form) else {
        return Json(json!({ "error": "bad_verification_code" })).into_response();
    };
    let mut inner = state.inner.lock().unwrap();
    inner.made += 1;
    let token = format!("gho_{}", inner.made);
    inner.tokens.insert(token.clone(), grant.stranger);
    Json(json!({ "access_token": token, "token_type": "bearer", "scope": "read:user,user:email" })).into_response()
}

/// Whose token it is. GitHub refuses requests without a user agent.
fn whose(state: &State, headers: &HeaderMap) -> Result<Stranger, StatusCode> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("user-agent").ok_or(StatusCode::FORBIDDEN)?;
    let token =
        text("authorization").and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    state.inner.lock().unwrap().tokens.get(token).cloned().ok_or(StatusCode::UNAUTHORIZED)
}

async fn user(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    match whose(&state, &headers) {
        Ok(one) => {
            let id: u64 = one.subject.parse().unwrap();
            // The address on a profile is whatever its owner wrote there: nobody proved it.
            let profile = json!({ "id": id, "login": one.handle, "name": one.name, "email": one.email });
            Json(profile).into_response()
        }
        Err(status) => status.into_response(),
    }
}

async fn emails(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    match whose(&state, &headers) {
        Ok(one) => {
            let own = one.email.map(|email| json!({ "email": email, "primary": true, "verified": one.email_verified }));
            let other = json!({ "email": "second@example.com", "primary": false, "verified": true });
            Json(own.into_iter().chain([other]).collect::<Vec<_>>()).into_response()
        }
        Err(status) => status.into_response(),
    }
}
