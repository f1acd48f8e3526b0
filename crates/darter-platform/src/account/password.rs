//! Changing the password while signed in. Whoever is signed in elsewhere is signed out.

use darter_api::account as api;
use darter_core::Fault;
use darter_core::role::TokenScope;
use darter_store::{account, reset, session};

use super::rules;
use crate::audit::{Change, record};
use crate::credential::own_row;
use crate::{Actor, Platform};

/// Changes the password; an account without one chooses its first.
pub async fn change(platform: &Platform, actor: &Actor, input: api::ChangePassword) -> Result<(), Fault> {
    let id = actor.require(TokenScope::Admin)?.clone();
    let row = own_row(&mut platform.store.read().await?, &id).await?;
    rules::password(&input.new, &[&row.username, row.email.as_deref().unwrap_or_default()])?;
    if row.password.is_some() {
        let target = format!("password {}", row.username);
        platform.guesses.attempt(&target, &actor.origin.address, platform.clock.now())?;
        let given = input.current.as_deref().unwrap_or_default();
        if !platform.hasher.verify(given, row.password.as_deref()).await? {
            return Err(Fault::forbidden(
                "account.password_wrong",
                "The current password is wrong. Type it again, or reset it.",
            ));
        }
        platform.guesses.succeeded(&target, &actor.origin.address);
    }
    let hash = platform.hasher.hash(&input.new, &*platform.random).await?;
    let mut tx = platform.store.write().await?;
    let mut current = own_row(&mut tx, &id).await?;
    if current.password != row.password {
        return Err(Fault::conflict(
            "account.password_changed",
            "The password was changed a moment ago. Sign in with the new one.",
        ));
    }
    current.password = Some(hash);
    current.updated_at = platform.clock.now();
    account::update(&mut tx, &current).await?;
    reset::remove_all(&mut tx, &id).await?;
    let ended = session::remove_others(&mut tx, &id, actor.session()).await?;
    record(&mut tx, actor, Change::of("account.change_password", &id, serde_json::json!({ "sessions_ended": ended })))
        .await?;
    tx.commit().await?;
    platform.credentials.forget(&id);
    Ok(())
}
