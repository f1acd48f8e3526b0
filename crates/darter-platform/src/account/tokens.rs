//! Personal access tokens.

use darter_api::account as api;
use darter_api::page::Page;
use darter_core::role::TokenScope;
use darter_core::{Fault, Millis, TokenId};
use darter_store::token;

use crate::actor::Via;
use crate::audit::{Change, record};
use crate::credential::{TOKEN_PREFIX, digest, own_row, secret};
use crate::{Actor, Platform};

/// Tokens of one account.
const MOST: u32 = 100;
/// The first characters of a token, to recognise it by: too few to guess the rest.
const HINT: usize = 8;
/// The furthest end: ten years.
const LONGEST: Millis = 3_653 * 24 * 3_600_000;

/// All of one's own, the newest first.
pub async fn list(platform: &Platform, actor: &Actor) -> Result<Page<api::Token>, Fault> {
    let id = actor.require(TokenScope::Read)?;
    let rows = token::list(&mut *platform.store.read().await?, id).await?;
    Ok(Page { items: rows.into_iter().map(show).collect(), next: None })
}

/// Makes a token. One made by a token has no more scopes than that has.
pub async fn create(platform: &Platform, actor: &Actor, input: api::CreateToken) -> Result<api::CreatedToken, Fault> {
    let id = actor.require(TokenScope::Admin)?.clone();
    let now = platform.clock.now();
    check(actor, &input, now)?;
    let secret = format!("{TOKEN_PREFIX}{}", secret(&*platform.random));
    let mut scopes = input.scopes;
    scopes.sort_by_key(|scope| *scope as u8);
    scopes.dedup();
    let row = token::Token {
        id: TokenId::generate(now, &*platform.random),
        account: id.clone(),
        name: input.name.trim().to_owned(),
        hint: secret[..HINT].to_owned(),
        scopes,
        created_at: now,
        expires_at: input.expires_at,
        last_used_at: None,
    };
    let mut tx = platform.store.write().await?;
    // Disabled since the request was let in: a token made now would work when the account is enabled again.
    own_row(&mut tx, &id).await?;
    if token::count(&mut tx, &id).await? >= MOST {
        return Err(Fault::conflict(
            "token.too_many",
            format!("You have {MOST} tokens. Take one away that is not needed."),
        ));
    }
    token::insert(&mut tx, &row, &digest(&secret)).await?;
    let details = serde_json::json!({ "name": row.name, "scopes": row.scopes, "expires_at": row.expires_at });
    record(&mut tx, actor, Change::of("token.create", &row.id, details)).await?;
    tx.commit().await?;
    Ok(api::CreatedToken { token: show(row), secret })
}

fn check(actor: &Actor, input: &api::CreateToken, now: Millis) -> Result<(), Fault> {
    let name = input.name.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(Fault::invalid("token.name_invalid", "A token's name has 1 to 64 characters. Say what it is for."));
    }
    if input.scopes.is_empty() {
        return Err(Fault::invalid("token.scopes_invalid", "Choose at least one of read, write and admin."));
    }
    if input.expires_at.is_some_and(|end| end <= now || end > now + LONGEST) {
        return Err(Fault::invalid(
            "token.expiry_invalid",
            "A token ends in the future, within ten years. Leave the end out for one that does not end.",
        ));
    }
    let via_token = actor.person().is_some_and(|person| matches!(person.via, Via::Token(..)));
    if via_token {
        for scope in &input.scopes {
            actor.require(*scope)?;
        }
    }
    Ok(())
}

/// Takes a token away.
pub async fn remove(platform: &Platform, actor: &Actor, token: &TokenId) -> Result<(), Fault> {
    let id = actor.require(TokenScope::Admin)?;
    let mut tx = platform.store.write().await?;
    if !token::remove(&mut tx, id, token).await? {
        return Err(Fault::not_found(
            "token.not_found",
            "You have no such token. It may be gone already; load the list again.",
        ));
    }
    record(&mut tx, actor, Change::of("token.delete", token, serde_json::json!({}))).await?;
    tx.commit().await?;
    platform.credentials.forget(id);
    Ok(())
}

fn show(row: token::Token) -> api::Token {
    api::Token {
        id: row.id.to_string(),
        name: row.name,
        scopes: row.scopes,
        hint: row.hint,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    }
}
