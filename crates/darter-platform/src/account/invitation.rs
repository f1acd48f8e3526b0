//! Invitations to sign up. Only administrators make them.

use darter_api::account as api;
use darter_api::page::{Page, PageQuery};
use darter_core::{Fault, InvitationId};
use darter_store::invitation;

use super::rules;
use crate::audit::{Change, record};
use crate::credential::{digest, secret};
use crate::page::{cut, limit_of, malformed_cursor};
use crate::{Actor, Platform};

/// Those that can still be used, the newest first.
pub async fn list(platform: &Platform, actor: &Actor, page: &PageQuery) -> Result<Page<api::Invitation>, Fault> {
    actor.require_administrator()?;
    let limit = limit_of(page)?;
    let before = page
        .cursor
        .as_deref()
        .map(|cursor| cursor.parse::<InvitationId>().map_err(|_| malformed_cursor()))
        .transpose()?;
    let mut tx = platform.store.read().await?;
    let (rows, more) =
        cut(invitation::list(&mut tx, (before.map(String::from), limit + 1), platform.clock.now()).await?, limit);
    let next = rows.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items: rows.into_iter().map(show).collect(), next })
}

/// Makes one. Its code is shown only now.
pub async fn create(
    platform: &Platform,
    actor: &Actor,
    input: api::CreateInvitation,
) -> Result<api::CreatedInvitation, Fault> {
    actor.require_administrator()?;
    let (uses, hours) = (input.uses.unwrap_or(1), input.hours.unwrap_or(168));
    if !(1..=1_000).contains(&uses) || !(1..=8_760).contains(&hours) {
        return Err(Fault::invalid(
            "invitation.out_of_range",
            "An invitation has 1 to 1,000 uses and ends in 1 to 8,760 hours.",
        ));
    }
    let email = input.email.as_deref().map(rules::email).transpose()?;
    if email.is_some() && uses > 1 {
        return Err(Fault::invalid(
            "invitation.out_of_range",
            "An invitation for one address has one use. Leave the address out for more.",
        ));
    }
    let now = platform.clock.now();
    let code = secret(&*platform.random);
    let row = invitation::Invitation {
        id: InvitationId::generate(now, &*platform.random),
        email,
        uses_left: uses,
        created_at: now,
        expires_at: now + i64::from(hours) * 3_600_000,
    };
    let mut tx = platform.store.write().await?;
    invitation::insert(&mut tx, &row, &digest(&code)).await?;
    let details = serde_json::json!({ "email": row.email, "uses": uses, "hours": hours });
    record(&mut tx, actor, Change::of("invitation.create", &row.id, details)).await?;
    tx.commit().await?;
    let url = format!("{}/sign-up?invitation={code}", platform.config.public_url);
    Ok(api::CreatedInvitation { invitation: show(row), code, url })
}

/// Takes one back.
pub async fn remove(platform: &Platform, actor: &Actor, id: &InvitationId) -> Result<(), Fault> {
    actor.require_administrator()?;
    let mut tx = platform.store.write().await?;
    if !invitation::remove(&mut tx, id).await? {
        return Err(Fault::not_found(
            "invitation.not_found",
            "There is no such invitation. It may be gone already; load the list again.",
        ));
    }
    record(&mut tx, actor, Change::of("invitation.delete", id, serde_json::json!({}))).await?;
    Ok(tx.commit().await?)
}

fn show(row: invitation::Invitation) -> api::Invitation {
    api::Invitation {
        id: row.id.to_string(),
        email: row.email,
        uses_left: row.uses_left,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}
