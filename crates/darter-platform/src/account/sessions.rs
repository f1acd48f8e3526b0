//! The browsers that are signed in.

use darter_api::account as api;
use darter_api::page::Page;
use darter_core::role::TokenScope;
use darter_core::{Fault, SessionId};
use darter_store::session;

use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// All of one's own, the one used last first.
pub async fn list(platform: &Platform, actor: &Actor) -> Result<Page<api::Session>, Fault> {
    let id = actor.require(TokenScope::Read)?;
    let rows = session::list(&mut *platform.store.read().await?, id, platform.clock.now()).await?;
    let show = |row: session::Session| api::Session {
        current: actor.session() == Some(&row.id),
        id: row.id.to_string(),
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        user_agent: row.user_agent,
        address: row.address,
    };
    Ok(Page { items: rows.into_iter().map(show).collect(), next: None })
}

/// Ends one.
pub async fn end(platform: &Platform, actor: &Actor, session: &SessionId) -> Result<(), Fault> {
    let id = actor.require(TokenScope::Admin)?;
    let mut tx = platform.store.write().await?;
    if !session::remove(&mut tx, id, session).await? {
        return Err(Fault::not_found(
            "session.not_found",
            "You have no such session. It may have ended already; load the list again.",
        ));
    }
    record(&mut tx, actor, Change::of("session.delete", session, serde_json::json!({}))).await?;
    tx.commit().await?;
    platform.credentials.forget(id);
    Ok(())
}

/// Ends all but the one that asks.
pub async fn end_others(platform: &Platform, actor: &Actor) -> Result<(), Fault> {
    let id = actor.require(TokenScope::Admin)?;
    let mut tx = platform.store.write().await?;
    let ended = session::remove_others(&mut tx, id, actor.session()).await?;
    record(&mut tx, actor, Change::of("session.delete_others", id, serde_json::json!({ "sessions_ended": ended })))
        .await?;
    tx.commit().await?;
    platform.credentials.forget(id);
    Ok(())
}
