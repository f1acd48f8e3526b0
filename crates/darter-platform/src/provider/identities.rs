//! What is bound to one's own account.

use darter_api::account as api;
use darter_api::page::Page;
use darter_core::Fault;
use darter_core::role::TokenScope;
use darter_store::identity;

use crate::audit::{Change, record};
use crate::credential::own_row;
use crate::{Actor, Platform};

/// All of one's own.
pub async fn list(platform: &Platform, actor: &Actor) -> Result<Page<api::Identity>, Fault> {
    let id = actor.require(TokenScope::Read)?;
    let rows = identity::list(&mut *platform.store.read().await?, id).await?;
    let show = |row: identity::Identity| api::Identity {
        provider: row.provider,
        label: row.label,
        created_at: row.created_at,
    };
    Ok(Page { items: rows.into_iter().map(show).collect(), next: None })
}

/// Unbinds one, when there is another way to sign in left.
pub async fn unbind(platform: &Platform, actor: &Actor, provider: &str) -> Result<(), Fault> {
    let id = actor.require(TokenScope::Admin)?;
    let mut tx = platform.store.write().await?;
    let row = own_row(&mut tx, id).await?;
    let bound = identity::list(&mut tx, id).await?;
    if !bound.iter().any(|one| one.provider == provider) {
        return Err(Fault::not_found(
            "identity.not_found",
            "This provider is not bound to your account. Load the list again.",
        ));
    }
    if row.password.is_none() && bound.len() == 1 {
        return Err(Fault::conflict(
            "identity.last",
            "This is your only way to sign in. Choose a password first, then unbind it.",
        ));
    }
    identity::remove(&mut tx, id, provider).await?;
    record(&mut tx, actor, Change::of("identity.unbind", provider, serde_json::json!({}))).await?;
    Ok(tx.commit().await?)
}
