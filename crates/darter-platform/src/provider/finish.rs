//! The way back: who is it, and what becomes of it: a session, a new account, or a bound identity.
//!
//! Whatever goes wrong, the browser goes back into the console with a code that the page explains.

use darter_core::Fault;
use darter_store::{Tx, account, identity};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::{Flow, Provider, Stranger, callback_url, failed};
use crate::account::rules;
use crate::account::signup::{Candidate, enter};
use crate::audit::{Change, record, record_as};
use crate::config::ProviderKind;
use crate::credential::{begin_session, own_row};
use crate::{Actor, Platform};

/// What the provider sent the browser back with.
#[derive(Debug, Clone, Default)]
pub struct Callback {
    pub code: Option<String>,
    pub state: Option<String>,
    pub error: Option<String>,
    /// The cookie from the start.
    pub cookie: Option<String>,
}

/// Where the browser goes, and with which session.
#[derive(Debug, Clone)]
pub struct Finished {
    pub location: String,
    /// The secret of a new session.
    pub session: Option<String>,
    /// What went wrong, for the log.
    pub fault: Option<Fault>,
}

/// Ends what was begun. Always has somewhere to go.
pub async fn finish(platform: &Platform, actor: &Actor, provider: &str, callback: Callback) -> Finished {
    let flow = match open(platform, provider, &callback) {
        Ok(flow) => flow,
        Err(fault) => return Finished { location: with_error("/sign-in", &fault), session: None, fault: Some(fault) },
    };
    match conclude(platform, actor, &flow, &callback).await {
        Ok(session) => {
            platform.guesses.succeeded_widely(&actor.origin.address);
            Finished { location: flow.return_to, session, fault: None }
        }
        Err(fault) => {
            let page = if flow.bind.is_some() { flow.return_to.clone() } else { "/sign-in".to_owned() };
            let mut location = with_error(&page, &fault);
            if flow.bind.is_none() && flow.return_to != "/" {
                location.push_str("&return_to=");
                location.extend(form_urlencoded::byte_serialize(flow.return_to.as_bytes()));
            }
            Finished { location, session: None, fault: Some(fault) }
        }
    }
}

fn with_error(page: &str, fault: &Fault) -> String {
    let (page, _) = page.split_once('#').unwrap_or((page, ""));
    format!("{page}{}error={}", if page.contains('?') { '&' } else { '?' }, fault.code)
}

fn expired() -> Fault {
    Fault::invalid("provider.expired", "This sign-in was begun too long ago or in another browser. Begin again.")
}

/// The flow that this browser began, when the state fits.
fn open(platform: &Platform, provider: &str, callback: &Callback) -> Result<Flow, Fault> {
    let sealed = callback.cookie.as_deref().ok_or_else(expired)?;
    let json = platform.providers.cookie.open("flow", sealed).ok_or_else(expired)?;
    let flow: Flow = serde_json::from_slice(&json).map_err(|_| expired())?;
    let state = callback.state.as_deref().unwrap_or_default();
    let same = bool::from(flow.state.as_bytes().ct_eq(state.as_bytes()));
    if same && flow.provider == provider && flow.ends_at > platform.clock.now() { Ok(flow) } else { Err(expired()) }
}

async fn conclude(
    platform: &Platform,
    actor: &Actor,
    flow: &Flow,
    callback: &Callback,
) -> Result<Option<String>, Fault> {
    let provider = platform.providers.get(&flow.provider)?;
    if let Some(error) = &callback.error {
        let denied = error == "access_denied";
        return Err(if denied {
            Fault::forbidden("provider.denied", "You did not allow this at the other provider. Nothing was changed.")
        } else {
            failed(error)
        });
    }
    let code = callback.code.clone().ok_or_else(|| failed("no code came back"))?;
    let stranger = ask(platform, provider, (flow, code)).await?;
    if stranger.subject.is_empty() || stranger.subject.len() > 255 {
        return Err(failed("the subject has a strange length"));
    }
    match &flow.bind {
        Some(account) => bind(platform, actor, (&flow.provider, account, stranger)).await.map(|()| None),
        None => sign_in(platform, actor, (flow, stranger)).await.map(Some),
    }
}

async fn ask(platform: &Platform, provider: &Provider, (flow, code): (&Flow, String)) -> Result<Stranger, Fault> {
    let redirect = callback_url(&platform.config, &flow.provider);
    match provider.config.kind {
        ProviderKind::Github => provider.github_stranger(flow, (code, redirect)).await,
        ProviderKind::Oidc => provider.oidc_stranger(flow, (code, redirect)).await,
    }
}

fn row(provider: &str, stranger: &Stranger, now: i64) -> identity::Identity {
    let label: String = stranger.label.chars().filter(|letter| !letter.is_control()).take(100).collect();
    identity::Identity { provider: provider.to_owned(), subject: stranger.subject.clone(), label, created_at: now }
}

/// Binds to whoever is signed in now, when that is who began.
async fn bind(
    platform: &Platform,
    actor: &Actor,
    (provider, account, stranger): (&str, &str, Stranger),
) -> Result<(), Fault> {
    let id = actor.require(darter_core::role::TokenScope::Admin)?.clone();
    if id.as_str() != account {
        return Err(expired());
    }
    let mut tx = platform.store.write().await?;
    // The provider took its time: the account may have been disabled meanwhile.
    own_row(&mut tx, &id).await?;
    match identity::owner(&mut tx, provider, &stranger.subject).await? {
        Some(owner) if owner == id => return Ok(()),
        Some(_) => return Err(taken()),
        None => {}
    }
    let new = row(provider, &stranger, platform.clock.now());
    identity::insert(&mut tx, &id, &new)
        .await
        .map_err(|error| if error.is_duplicate() { taken() } else { error.into() })?;
    record(&mut tx, actor, Change::of("identity.bind", provider, serde_json::json!({ "label": new.label }))).await?;
    Ok(tx.commit().await?)
}

fn taken() -> Fault {
    let message = "That account is bound to another account here, or another one of that provider is bound to yours. Unbind that one first.";
    Fault::conflict("identity.taken", message)
}

async fn sign_in(platform: &Platform, actor: &Actor, (flow, stranger): (&Flow, Stranger)) -> Result<String, Fault> {
    let mut tx = platform.store.write().await?;
    let owner = match identity::owner(&mut tx, &flow.provider, &stranger.subject).await? {
        Some(owner) => account::lookup(&mut tx, &owner).await?.ok_or_else(|| failed("the account is gone"))?,
        None => newcomer(platform, &mut tx, (actor, flow, &stranger)).await?,
    };
    if owner.disabled {
        return Err(Fault::forbidden(
            "account.disabled",
            "This account is disabled. Ask an administrator of this server.",
        ));
    }
    let secret = begin_session(platform, &mut tx, (&owner.id, &actor.origin)).await?;
    let change = Change::of("session.create", &owner.id, serde_json::json!({ "how": flow.provider }));
    record_as(&mut tx, (owner.id.as_str(), &owner.username), (actor, change)).await?;
    tx.commit().await?;
    Ok(secret)
}

/// An account for somebody who comes for the first time. Never one that exists, whatever its address.
async fn newcomer(
    platform: &Platform,
    tx: &mut Tx,
    (actor, flow, stranger): (&Actor, &Flow, &Stranger),
) -> Result<account::Account, Fault> {
    let email = stranger.email.as_deref().map(rules::email).transpose()?;
    if let Some(email) = &email
        && account::by_login(tx, email).await?.is_some()
    {
        let message = "There is an account with this e-mail address already. Sign in to it, then bind this provider under your account.";
        return Err(Fault::conflict("identity.email_taken", message));
    }
    let username = free_name(platform, tx, &stranger.handle).await?;
    let candidate = Candidate {
        display_name: rules::display_name(Some(&stranger.display_name), &username).unwrap_or_else(|_| username.clone()),
        username,
        email_verified: email.is_some(),
        email,
        password: None,
        invitation: flow.invitation.clone(),
    };
    let account = enter(platform, tx, (actor, candidate)).await?;
    let new = row(&flow.provider, stranger, platform.clock.now());
    identity::insert(tx, &account.id, &new).await?;
    Ok(account)
}

/// A user name like the one there; when it is taken, with some letters after it.
async fn free_name(platform: &Platform, tx: &mut Tx, handle: &str) -> Result<String, Fault> {
    let clean: String = handle
        .to_ascii_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let clean: String = clean.trim_matches(|letter: char| !letter.is_ascii_lowercase()).chars().take(24).collect();
    let plain = clean.trim_end_matches('-');
    if let Ok(name) = rules::username(plain, false)
        && account::by_login(tx, &name).await?.is_none()
    {
        return Ok(name);
    }
    let base = if plain.is_empty() { "user" } else { plain };
    let tail = darter_core::random::text(&*platform.random, 6);
    rules::username(&format!("{base}-{tail}"), false)
}
