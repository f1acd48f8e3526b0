//! A whole app as one file: `GET /apps/{app}/export`, `POST /apps/import`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use darter_api::app::App;
use darter_core::AppId;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::extract::{Caller, Path, Server, ZipFile};
use crate::problem::Problem;

/// The app as a zip file, without values of secrets.
#[utoipa::path(get, path = "/apps/{app}/export", tag = "apps", operation_id = "app.export", params(("app" = String, Path)),
    responses((status = 200, description = "A zip file", body = Vec<u8>, content_type = "application/zip")))]
pub async fn export(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(app): Path<AppId>,
) -> Result<Response, Problem> {
    let exported = darter_platform::app::export(&platform, &actor, &app).await?;
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", exported.file_name)),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Bytes::from(exported.bytes)).into_response())
}

/// A new app from an exported file.
#[utoipa::path(post, path = "/apps/import", tag = "apps", operation_id = "app.import",
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses((status = 201, description = "The new app", body = App)))]
pub async fn import(
    Server(platform): Server,
    Caller(actor): Caller,
    ZipFile(bytes): ZipFile,
) -> Result<(StatusCode, Json<App>), Problem> {
    let app = darter_platform::app::import(&platform, &actor, bytes).await?;
    Ok((StatusCode::CREATED, Json(app)))
}
