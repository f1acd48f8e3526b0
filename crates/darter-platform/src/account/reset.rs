//! A forgotten password: a token that works once, for an hour, by mail or from the server's command line.
//!
//! Asking for one answers the same, and as quickly, whether the account exists or not: everything happens afterwards.

use std::sync::Arc;

use darter_api::account as api;
use darter_core::{Fault, Millis};
use darter_store::{Store, account, reset, session};

use super::rules;
use crate::audit::{Change, record_as};
use crate::credential::{digest, secret};
use crate::{Actor, Platform};

/// How long a token works.
pub const LIFE: Millis = 3_600_000;

/// Sends a mail with a token, when there is such an account and a way to send.
pub async fn forgot(platform: &Arc<Platform>, actor: &Actor, input: api::ForgotPassword) -> Result<(), Fault> {
    let login = input.login.trim().to_lowercase();
    platform.guesses.attempt(&format!("forgot {login}"), &actor.origin.address, platform.clock.now())?;
    if !platform.mailer.works() {
        return Ok(());
    }
    let (platform, actor) = (Arc::clone(platform), actor.clone());
    let tasks = platform.tasks.clone();
    tasks.spawn(async move {
        if let Err(fault) = send(&platform, &actor, &login).await {
            tracing::warn!(code = fault.code, cause = fault.cause, "a mail to reset a password could not be sent");
        }
    });
    Ok(())
}

async fn send(platform: &Platform, actor: &Actor, login: &str) -> Result<(), Fault> {
    let found = account::by_login(&mut *platform.store.read().await?, login).await?;
    let Some(row) = found.filter(|row| !row.disabled) else { return Ok(()) };
    let Some(email) = row.email.clone() else { return Ok(()) };
    let token = secret(&*platform.random);
    let mut tx = platform.store.write().await?;
    reset::insert(&mut tx, &row.id, &digest(&token), platform.clock.now() + LIFE).await?;
    record_as(&mut tx, ("", ""), (actor, Change::of("account.forgot_password", &row.id, serde_json::json!({}))))
        .await?;
    tx.commit().await?;
    let text = format!(
        "Hello {},\n\nsomebody asked to reset the password of your account {} at {}.\n\nTo choose a new password, open this address within an hour. It works once:\n\n{}/reset?token={token}\n\nIf it was not you, do nothing: your password stays as it is.\n",
        row.display_name, row.username, platform.config.public_url, platform.config.public_url
    );
    platform.mailer.send(&email, "Reset your password", text).await.map_err(Fault::internal)
}

/// For the operator's command line: a token for an account, by user name or address.
pub async fn token(
    store: &Store,
    login: &str,
    (now, random): (Millis, &dyn darter_core::Random),
) -> Result<String, Fault> {
    let mut tx = store.write().await?;
    let login = login.trim().to_lowercase();
    let row = account::by_login(&mut tx, &login).await?;
    let row = row.ok_or_else(|| {
        Fault::not_found(
            "account.not_found",
            format!("There is no account {login}. Write a user name or an e-mail address."),
        )
    })?;
    let token = secret(random);
    reset::insert(&mut tx, &row.id, &digest(&token), now + LIFE).await?;
    let change = Change::of("account.reset_token", &row.id, serde_json::json!({ "how": "command line" }));
    crate::audit::record(&mut tx, &Actor::server(), change).await?;
    tx.commit().await?;
    Ok(token)
}

/// Chooses a new password with a token. Everybody who is signed in with the old one is signed out.
pub async fn choose(platform: &Platform, actor: &Actor, input: api::ResetPassword) -> Result<(), Fault> {
    platform.guesses.attempt_widely(&actor.origin.address, platform.clock.now())?;
    rules::password(&input.new, &[])?;
    let now = platform.clock.now();
    let token = digest(input.token.trim());
    // A look first: a hash is dear, and a code that is none is worth none.
    if !reset::exists(&mut *platform.store.read().await?, &token, now).await? {
        return Err(invalid());
    }
    let hash = platform.hasher.hash(&input.new, &*platform.random).await?;
    let mut tx = platform.store.write().await?;
    let taken = reset::take(&mut tx, &token, now).await?;
    let mut row = match taken {
        Some(id) => account::lookup(&mut tx, &id).await?.filter(|row| !row.disabled).ok_or_else(invalid)?,
        None => return Err(invalid()),
    };
    rules::password(&input.new, &[&row.username, row.email.as_deref().unwrap_or_default()])?;
    row.password = Some(hash);
    row.updated_at = now;
    account::update(&mut tx, &row).await?;
    reset::remove_all(&mut tx, &row.id).await?;
    session::remove_others(&mut tx, &row.id, None).await?;
    let change = Change::of("account.reset_password", &row.id, serde_json::json!({}));
    record_as(&mut tx, (row.id.as_str(), &row.username), (actor, change)).await?;
    tx.commit().await?;
    platform.credentials.forget(&row.id);
    platform.guesses.succeeded_widely(&actor.origin.address);
    Ok(())
}

fn invalid() -> Fault {
    Fault::invalid(
        "account.reset_invalid",
        "This reset code is not valid: it was used, or is older than an hour. Ask for a new one.",
    )
}
