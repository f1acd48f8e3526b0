//! OpenID Connect, as its core specification (1.0) and discovery say.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Form, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use darter_core::{Clock, SystemClock};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{CLIENT, Grant, Lie, SECRET, State};

type Words = HashMap<String, String>;

pub(super) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(async |Shared(state): Shared<Arc<State>>| Json(state.keys.shown())))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/elsewhere", any(elsewhere))
}

async fn elsewhere(Shared(state): Shared<Arc<State>>) -> &'static str {
    state.misled.fetch_add(1, Ordering::SeqCst);
    "thank you for the secret"
}

async fn discovery(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    state.discoveries.fetch_add(1, Ordering::SeqCst);
    let issuer = &state.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "scopes_supported": ["openid", "email", "profile"],
    }))
}

async fn authorize(Shared(state): Shared<Arc<State>>, Query(query): Query<Words>) -> Response {
    let code = query.get("response_type").is_some_and(|kind| kind == "code");
    let openid = query.get("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "openid"));
    if !code || !openid {
        return (StatusCode::BAD_REQUEST, "response_type is code, scope has openid").into_response();
    }
    state.authorize(&query)
}

async fn token(Shared(state): Shared<Arc<State>>, headers: HeaderMap, Form(form): Form<Words>) -> Response {
    if let Some(lie) = state.misbehave().await {
        return lie;
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    // RFC 6749, 2.3.1: both are encoded as in a form, then as basic authentication.
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET))));
    if headers.get("authorization").is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return refused("invalid_client");
    }
    if form.get("grant_type").is_none_or(|kind| kind != "authorization_code") {
        return refused("unsupported_grant_type");
    }
    match state.redeem(&form) {
        Some(grant) => Json(answer(&state, &grant)).into_response(),
        None => refused("invalid_grant"),
    }
}

fn answer(state: &State, grant: &Grant) -> Value {
    let lie = state.lie();
    let signing = state.inner.lock().unwrap().signing;
    let mut answer = json!({ "access_token": "not used", "token_type": "Bearer", "expires_in": 60 });
    if lie != Some(Lie::NoIdToken) {
        answer["id_token"] = state.keys.token(&claims(state, grant, lie), (signing, lie)).into();
    }
    answer
}

fn claims(state: &State, grant: &Grant, lie: Option<Lie>) -> Value {
    let stranger = &grant.stranger;
    let now = SystemClock.now() / 1_000;
    let mut claims = json!({
        "iss": state.issuer,
        "sub": stranger.subject,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 600,
        "nonce": grant.nonce,
        "name": stranger.name,
        "preferred_username": stranger.handle,
        "email": stranger.email,
        "email_verified": stranger.email_verified,
    });
    let wrong: &[(&str, Value)] = match lie {
        Some(Lie::WrongAudience) => &[("aud", json!("another-client"))],
        Some(Lie::WrongNonce) => &[("nonce", json!("of another sign-in"))],
        Some(Lie::NoNonce) => &[("nonce", Value::Null)],
        Some(Lie::Expired) => &[("iat", json!(now - 7_200)), ("exp", json!(now - 3_600))],
        Some(Lie::WrongIssuer) => &[("iss", json!("https://another.example"))],
        Some(Lie::NoSubject) => &[("sub", json!(""))],
        _ => &[],
    };
    for (name, value) in wrong {
        claims[*name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}
