//! `GET /system`: what a client must know to speak to this server.

use std::sync::Arc;

use axum::Json;
use darter_api::system::System;
use darter_platform::{Platform, server};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::Server;

/// Routes of the server itself.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Version and addresses. For anyone.
#[utoipa::path(get, path = "/system", tag = "system", operation_id = "system.get",
    responses((status = 200, description = "The server", body = System)))]
pub async fn get(Server(platform): Server) -> Json<System> {
    Json(server::about(&platform))
}
