//! `/invitations`: for administrators.

use std::sync::Arc;

use axum::Json;
use darter_api::account::{CreateInvitation, CreatedInvitation, Invitation};
use darter_api::page::{Page, PageQuery};
use darter_core::InvitationId;
use darter_platform::{Platform, account};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Body, Caller, Path, Query, Server};
use crate::problem::Problem;

/// Routes of invitations.
pub fn router() -> OpenApiRouter<Arc<Platform>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
}

/// Those that can still be used.
#[utoipa::path(get, path = "/invitations", tag = "invitations", operation_id = "invitation.list", params(PageQuery),
    responses((status = 200, description = "A page of invitations", body = Page<Invitation>)))]
pub async fn list(
    Server(platform): Server,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Invitation>>, Problem> {
    Ok(Json(account::invitations(&platform, &actor, &page).await?))
}

/// Makes one. Its code is shown only now.
#[utoipa::path(post, path = "/invitations", tag = "invitations", operation_id = "invitation.create", request_body = CreateInvitation,
    responses((status = 201, description = "The invitation and its address", body = CreatedInvitation)))]
pub async fn create(
    Server(platform): Server,
    Caller(actor): Caller,
    Body(input): Body<CreateInvitation>,
) -> Result<(StatusCode, Json<CreatedInvitation>), Problem> {
    Ok((StatusCode::CREATED, Json(account::invite(&platform, &actor, input).await?)))
}

/// Takes one back.
#[utoipa::path(delete, path = "/invitations/{invitation}", tag = "invitations", operation_id = "invitation.delete",
    params(("invitation" = String, Path)), responses((status = 204, description = "It no longer works")))]
pub async fn delete(
    Server(platform): Server,
    Caller(actor): Caller,
    Path(invitation): Path<InvitationId>,
) -> Result<StatusCode, Problem> {
    account::uninvite(&platform, &actor, &invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}
