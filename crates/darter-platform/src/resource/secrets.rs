//! Secrets: sealed before they reach the store, never shown again to anybody.

use darter_api::page::Page;
use darter_api::resource as api;
use darter_core::{AppId, Fault};
use darter_store::secret::{self, SealedSecret};

use super::environment::conclude;
use super::name::{COUNT_LIMIT, validate_value, validate_variable};
use crate::access::Opened;
use crate::{Actor, Platform};

/// Names of an app's secrets.
pub async fn secrets(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Page<api::Secret>, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    let found = secret::list(&mut opened.tx, app).await?;
    let items = found.into_iter().map(|secret| api::Secret {
        name: secret.name,
        updated_at: secret.updated_at,
        updated_by: secret.updated_by,
    });
    Ok(Page { items: items.collect(), next: None })
}

/// Sets one.
pub async fn set_secret(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    input: api::SetValue,
) -> Result<api::Secret, Fault> {
    let mut opened = Opened::edit(platform, actor, app).await?;
    validate_variable(name)?;
    validate_value(&input.value)?;
    if secret::count_others(&mut opened.tx, app, name).await? as usize >= COUNT_LIMIT {
        return Err(Fault::conflict(
            "secret.too_many",
            format!("An app has at most {COUNT_LIMIT} secrets. Remove one that is not needed."),
        ));
    }
    let sealed = platform.apps.vault.seal(app, name, &input.value, &*platform.random)?;
    let updated_at = platform.clock.now();
    let account = opened.account.clone();
    secret::set(&mut opened.tx, app, &SealedSecret { name, sealed: &sealed, updated_at, updated_by: &account }).await?;
    conclude(platform, opened, "secret.set", name).await?;
    Ok(api::Secret { name: name.to_owned(), updated_at, updated_by: actor.name().to_owned() })
}

/// Removes one.
pub async fn remove_secret(platform: &Platform, actor: &Actor, app: &AppId, name: &str) -> Result<(), Fault> {
    let mut opened = Opened::edit(platform, actor, app).await?;
    if !secret::remove(&mut opened.tx, app, name).await? {
        return Err(Fault::not_found(
            "secret.not_found",
            "This app has no secret with this name. See the list of its secrets.",
        ));
    }
    conclude(platform, opened, "secret.delete", name).await
}
