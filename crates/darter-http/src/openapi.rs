//! The API's own description, OpenAPI 3.1, made from the routes themselves.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use darter_api::error::ErrorBody;
use darter_platform::Platform;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::routes;

/// Routes of `/api/v1`, and their description.
pub fn parts() -> (Router<Arc<Platform>>, Arc<str>) {
    let all = OpenApiRouter::new()
        .merge(routes::accounts())
        .merge(routes::apps())
        .merge(routes::workspaces())
        .merge(routes::runs());
    let (router, mut document) = OpenApiRouter::with_openapi(frame()).nest("/api/v1", all).split_for_parts();
    complete(&mut document);
    let text = document.to_pretty_json().unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    (router, text.into())
}

/// The description as a file: pretty, and the same for the same routes.
pub fn openapi_json() -> String {
    let (_, text) = parts();
    // Through a value: its maps are sorted.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// Serves the description.
pub async fn serve(document: Arc<str>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, document.to_string()).into_response()
}

fn frame() -> OpenApi {
    let about = "Everything that the console and the command line do. Times are milliseconds since 1970 (UTC), sizes bytes. \
        Sign in with a cookie (POST /auth/signin) or send a personal access token as `Authorization: Bearer dat_…`. \
        Lists come in pages: send `next` back as `cursor`. A creation takes `Idempotency-Key`: the same key and body give the same answer for 24 hours.";
    let info = InfoBuilder::new().title("Darter").version("1").description(Some(about)).build();
    OpenApiBuilder::new().info(info).build()
}

/// What every operation has in common: the ways to sign in, and the shape of errors.
fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("darter_session")));
    components.add_security_scheme("session", cookie);
    components
        .add_security_scheme("token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    components.schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    let mut inner = Vec::new();
    ErrorBody::schemas(&mut inner);
    components.schemas.extend(inner);
    let error = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    let error = ResponseBuilder::new()
        .description("What went wrong, why, and what to do")
        .content("application/json", error)
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".into(), RefOr::T(error.clone()));
        }
    }
}
