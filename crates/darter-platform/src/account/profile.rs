//! Oneself: looking and changing.

use darter_api::account as api;
use darter_core::role::TokenScope;
use darter_core::{AccountId, Fault};
use darter_store::{account, reset};

use super::rules;
use super::show;
use super::signup::taken;
use crate::audit::{Change, record};
use crate::credential::own_row;
use crate::{Actor, Platform};

/// Oneself.
pub async fn me(platform: &Platform, actor: &Actor) -> Result<api::Account, Fault> {
    let id = actor.require(TokenScope::Read)?;
    Ok(show(&own_row(&mut platform.store.read().await?, id).await?))
}

/// Changes what is given. A new address is not a proven one, and reset mails to the old one no longer work.
pub async fn update(platform: &Platform, actor: &Actor, input: api::UpdateAccount) -> Result<api::Account, Fault> {
    let id = actor.require(TokenScope::Admin)?.clone();
    let wanted = input.email.as_deref().map(rules::email).transpose()?;
    if let Some(wanted) = &wanted {
        prove(platform, actor, (&id, wanted, input.password.as_deref())).await?;
    }
    let mut tx = platform.store.write().await?;
    let mut row = own_row(&mut tx, &id).await?;
    if let Some(name) = &input.display_name {
        row.display_name = rules::display_name(Some(name), &row.username)?;
    }
    let email = wanted.filter(|email| row.email.as_ref() != Some(email));
    let email_changed = email.is_some();
    if let Some(email) = email {
        row.email = Some(email);
        row.email_verified = false;
        reset::remove_all(&mut tx, &id).await?;
    }
    row.updated_at = platform.clock.now();
    account::update(&mut tx, &row).await.map_err(|error| if error.is_duplicate() { taken() } else { error.into() })?;
    let details = serde_json::json!({ "display_name": input.display_name, "email_changed": email_changed });
    record(&mut tx, actor, Change::of("account.update", &id, details)).await?;
    tx.commit().await?;
    Ok(show(&row))
}

/// Another address takes the password: with a session alone (a laptop left open) nobody can have a reset sent elsewhere.
async fn prove(
    platform: &Platform,
    actor: &Actor,
    (id, wanted, password): (&AccountId, &str, Option<&str>),
) -> Result<(), Fault> {
    let row = own_row(&mut platform.store.read().await?, id).await?;
    if row.email.as_deref() == Some(wanted) {
        return Ok(());
    }
    let now = platform.clock.now();
    // Whether an address is taken is a question that can be asked only so often.
    platform.guesses.attempt("email", &actor.origin.address, now)?;
    let Some(hash) = row.password.as_deref() else { return Ok(()) };
    let Some(password) = password else {
        return Err(Fault::forbidden(
            "account.password_needed",
            "Another e-mail address takes your password: send it along, or reset it first if you do not know it.",
        ));
    };
    let target = format!("password {}", row.username);
    platform.guesses.attempt(&target, &actor.origin.address, now)?;
    if password.chars().count() > 256 || !platform.hasher.verify(password, Some(hash)).await? {
        return Err(Fault::forbidden(
            "account.password_wrong",
            "The current password is wrong. Type it again, or reset it.",
        ));
    }
    platform.guesses.succeeded(&target, &actor.origin.address);
    Ok(())
}
