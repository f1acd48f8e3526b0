//! `/admin`: the server's accounts, settings and walls. For administrators.

use std::sync::Arc;

use axum::Json;
use darter_api::page::{Page, PageQuery};
use darter_api::system::{AdminAccount, Settings, UpdateAdminAccount, UpdateSettings, Wall};
use darter_core::AccountId;
use darter_platform::{Platform, account, server, settings};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// Routes of administration.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new()
        .routes(routes!(accounts))
        .routes(routes!(update_account))
        .routes(routes!(get_settings, update_settings))
        .routes(routes!(doctor))
}

/// All accounts, the oldest first.
#[utoipa::path(get, path = "/admin/accounts", tag = "admin", operation_id = "admin.account.list", params(PageQuery),
    responses((status = 200, description = "A page of accounts", body = Page<AdminAccount>)))]
pub async fn accounts(
    Server(platform): Server,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AdminAccount>>, Problem> {
    Ok(Json(account::list(&platform, &actor, &page).await?))
}

/// Makes somebody an administrator or not, disables or enables.
#[utoipa::path(patch, path = "/admin/accounts/{account}", tag = "admin", operation_id = "admin.account.update", request_body = UpdateAdminAccount,
    params(("account" = String, Path)), responses((status = 200, description = "The account", body = AdminAccount)))]
pub async fn update_account(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(id): Path<AccountId>,
    Body(input): Body<UpdateAdminAccount>,
) -> Result<Json<AdminAccount>, Problem> {
    Ok(Json(account::update_by_administrator(&platform, &actor, (&id, input)).await?))
}

/// The server's settings.
#[utoipa::path(get, path = "/admin/settings", tag = "admin", operation_id = "admin.settings.get",
    responses((status = 200, description = "What applies now", body = Settings)))]
pub async fn get_settings(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Settings>, Problem> {
    Ok(Json(settings::get(&platform, &actor).await?))
}

/// Changes the server's settings, while it runs.
#[utoipa::path(patch, path = "/admin/settings", tag = "admin", operation_id = "admin.settings.update", request_body = UpdateSettings,
    responses((status = 200, description = "What applies now", body = Settings)))]
pub async fn update_settings(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<UpdateSettings>,
) -> Result<Json<Settings>, Problem> {
    Ok(Json(settings::change(&platform, &actor, input).await?))
}

/// Which walls of the sandbox stand.
#[utoipa::path(get, path = "/admin/doctor", tag = "admin", operation_id = "admin.doctor",
    responses((status = 200, description = "The walls", body = Page<Wall>)))]
pub async fn doctor(Server(platform): Server, Caller(actor): Caller) -> Result<Json<Page<Wall>>, Problem> {
    Ok(Json(server::walls(&platform, &actor)?))
}
