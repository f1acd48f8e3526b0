//! Signing in with a password, and out.

use darter_api::account as api;
use darter_core::Fault;
use darter_store::{account, session};

use super::{SignedIn, show};
use crate::actor::Via;
use crate::audit::{Change, record, record_as};
use crate::credential::begin_session;
use crate::{Actor, Platform};

/// Signs in. Unknown names and wrong passwords get the same answer after the same work.
pub async fn sign_in(platform: &Platform, actor: &Actor, input: api::SignIn) -> Result<SignedIn, Fault> {
    let login = input.login.trim().to_lowercase();
    let target = format!("password {login}");
    platform.guesses.attempt(&target, &actor.origin.address, platform.clock.now())?;
    let found = {
        let mut tx = platform.store.read().await?;
        account::by_login(&mut tx, &login).await?
    };
    let hash = found.as_ref().and_then(|row| row.password.as_deref());
    let right = input.password.chars().count() <= 256 && platform.hasher.verify(&input.password, hash).await?;
    let Some(row) = found.filter(|_| right) else { return Err(wrong()) };
    platform.guesses.succeeded(&target, &actor.origin.address);
    if row.disabled {
        return Err(disabled());
    }
    let mut tx = platform.store.write().await?;
    let current = account::lookup(&mut tx, &row.id).await?;
    // Between the look and now the password may have been changed, or the account disabled.
    if current.is_none_or(|current| current.disabled || current.password != row.password) {
        return Err(wrong());
    }
    let secret = begin_session(platform, &mut tx, (&row.id, &actor.origin)).await?;
    let change = Change::of("session.create", &row.id, serde_json::json!({ "how": "password" }));
    record_as(&mut tx, (row.id.as_str(), &row.username), (actor, change)).await?;
    tx.commit().await?;
    Ok(SignedIn { account: show(&row), secret })
}

fn wrong() -> Fault {
    Fault::unauthenticated(
        "auth.wrong_credentials",
        "The name or the password is wrong. Check both, or reset the password.",
    )
}

pub(crate) fn disabled() -> Fault {
    Fault::forbidden("account.disabled", "This account is disabled. Ask an administrator of this server.")
}

/// Ends the session that asks.
pub async fn sign_out(platform: &Platform, actor: &Actor) -> Result<(), Fault> {
    let Some(person) = actor.person() else { return Err(crate::actor::sign_in_needed()) };
    let Via::Session(id) = &person.via else {
        return Err(Fault::invalid(
            "auth.not_a_session",
            "A token does not sign out. Take it away under its account: DELETE /me/tokens/{token}.",
        ));
    };
    let mut tx = platform.store.write().await?;
    session::remove(&mut tx, &person.account, id).await?;
    record(&mut tx, actor, Change::of("session.delete", id, serde_json::json!({ "how": "sign-out" }))).await?;
    tx.commit().await?;
    platform.credentials.forget(&person.account);
    Ok(())
}
