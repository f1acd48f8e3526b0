//! Making an account.
//!
//! The first account is the administrator and can always be made. After that the mode decides. A taken user name and a
//! taken address get one and the same answer, and each such answer counts as a guess of the asker's address: names are
//! public (they stand in addresses of workspaces), addresses are not.

use darter_api::account as api;
use darter_core::{AccountId, Fault};
use darter_store::{Tx, account, invitation, setting};

use super::rules;
use super::{SignedIn, show};
use crate::audit::{Change, record_as};
use crate::credential::{begin_session, digest};
use crate::{Actor, Platform, settings};

/// What the sign-in page shows. For anyone.
pub async fn methods(platform: &Platform) -> Result<api::AuthMethods, Fault> {
    let mut tx = platform.store.read().await?;
    let first = account::count(&mut tx).await? == 0;
    let signup = mode(platform, &mut tx).await?;
    Ok(api::AuthMethods { signup, first, providers: platform.providers.shown(), mail: platform.mailer.works() })
}

async fn mode(platform: &Platform, tx: &mut Tx) -> Result<api::SignUpMode, Fault> {
    if platform.config.single_user {
        return Ok(api::SignUpMode::Closed);
    }
    Ok(settings::load(tx).await?.signup)
}

/// Somebody who wants an account, checked as far as a look at it can.
pub(crate) struct Candidate {
    pub username: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub display_name: String,
    pub password: Option<String>,
    pub invitation: Option<String>,
}

/// Makes an account with a password and signs it in.
pub async fn sign_up(platform: &Platform, actor: &Actor, input: api::SignUp) -> Result<SignedIn, Fault> {
    let now = platform.clock.now();
    // Right names first, and the mode: a hash is dear, and a closed door needs none.
    let first = admit(platform, input.invitation.as_deref()).await?;
    let username = rules::username(&input.username, first)?;
    let email = rules::email(&input.email)?;
    rules::password(&input.password, &[&username, &email])?;
    let display_name = rules::display_name(input.display_name.as_deref(), &username)?;
    platform.guesses.attempt("signup", &actor.origin.address, now)?;
    let password = platform.hasher.hash(&input.password, &*platform.random).await?;
    let candidate = Candidate {
        username,
        email: Some(email),
        email_verified: false,
        display_name,
        password: Some(password),
        invitation: input.invitation,
    };
    let mut tx = platform.store.write().await?;
    let row = enter(platform, &mut tx, (actor, candidate)).await?;
    let secret = begin_session(platform, &mut tx, (&row.id, &actor.origin)).await?;
    tx.commit().await?;
    platform.guesses.succeeded("signup", &actor.origin.address);
    Ok(SignedIn { account: show(&row), secret })
}

/// Is the door open at all? Answers whether nobody is here yet.
async fn admit(platform: &Platform, invitation: Option<&str>) -> Result<bool, Fault> {
    let mut tx = platform.store.read().await?;
    if account::count(&mut tx).await? == 0 {
        return Ok(true);
    }
    match mode(platform, &mut tx).await? {
        api::SignUpMode::Open => Ok(false),
        api::SignUpMode::Invitation if invitation.is_some() => Ok(false),
        api::SignUpMode::Invitation => Err(invitation_needed()),
        api::SignUpMode::Closed => Err(closed()),
    }
}

fn closed() -> Fault {
    Fault::forbidden("signup.closed", "This server takes no new accounts. Ask its operator.")
}

fn invitation_needed() -> Fault {
    Fault::forbidden(
        "signup.invitation_needed",
        "This server is by invitation. Ask an administrator for one and open its address.",
    )
}

/// Writes a new account, when the mode and the invitation allow it. Alone: two cannot both be the first.
pub(crate) async fn enter(
    platform: &Platform,
    tx: &mut Tx,
    (actor, candidate): (&Actor, Candidate),
) -> Result<account::Account, Fault> {
    setting::lock(tx).await?;
    let now = platform.clock.now();
    let first = account::count(tx).await? == 0;
    let invited = match candidate.invitation.as_deref() {
        Some(code) if !first => invitation::take(tx, &digest(code), candidate.email.as_deref(), now).await?,
        Some(_) | None => None,
    };
    if !first {
        match (mode(platform, tx).await?, &invited) {
            (api::SignUpMode::Open, _) | (api::SignUpMode::Invitation, Some(_)) => {}
            (api::SignUpMode::Invitation, None) if candidate.invitation.is_some() => return Err(invitation_invalid()),
            (api::SignUpMode::Invitation, None) => return Err(invitation_needed()),
            (api::SignUpMode::Closed, _) => return Err(closed()),
        }
    }
    let row = account::Account {
        id: AccountId::generate(now, &*platform.random),
        username: candidate.username,
        email: candidate.email,
        email_verified: candidate.email_verified,
        display_name: candidate.display_name,
        password: candidate.password,
        administrator: first,
        disabled: false,
        avatar: None,
        created_at: now,
        updated_at: now,
        last_seen_at: Some(now),
    };
    account::insert(tx, &row).await.map_err(|error| if error.is_duplicate() { taken() } else { error.into() })?;
    let details = serde_json::json!({ "administrator": first, "invitation": invited.map(String::from) });
    record_as(tx, (row.id.as_str(), &row.username), (actor, Change::of("account.create", &row.id, details))).await?;
    Ok(row)
}

fn invitation_invalid() -> Fault {
    let message = "This invitation is not valid: it was used, has ended, was taken back, or is for another e-mail address. Ask for a new one.";
    Fault::forbidden("invitation.invalid", message)
}

pub(crate) fn taken() -> Fault {
    Fault::conflict(
        "account.taken",
        "This user name or e-mail address is taken. Choose another, or sign in when it is yours.",
    )
}
