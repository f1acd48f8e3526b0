//! Proving a host: a TXT record with the challenge, a CNAME to the app's own address, or an administrator's word.
//!
//! A CNAME must point at this very app: one that points at the server as such proves nothing about who asks.

use darter_api::app as api;
use darter_core::role::Action;
use darter_core::{AppId, Fault};
use darter_store::domain;

use super::claim::{not_found, show, taken};
use crate::access::Opened;
use crate::app::app_url;
use crate::{Actor, Platform};

/// Looks the records up and serves the host when they fit.
pub async fn verify(platform: &Platform, actor: &Actor, app: &AppId, host: &str) -> Result<api::Domain, Fault> {
    let host = host.to_ascii_lowercase();
    let found = {
        let mut opened = Opened::write(platform, actor, app, Action::Own).await?;
        domain::lookup(&mut opened.tx, app, &host).await?.ok_or_else(not_found)?
    };
    if found.verified {
        return Ok(show(found));
    }
    let target = app_host(platform, app);
    prove(platform, (&host, &found.challenge), &target).await?;
    accept(platform, actor, (app, &host), "records").await
}

/// An administrator who is an owner of the app says so, without records (closed networks have no public DNS).
pub async fn verify_by_hand(platform: &Platform, actor: &Actor, app: &AppId, host: &str) -> Result<api::Domain, Fault> {
    actor.require_administrator()?;
    accept(platform, actor, (app, &host.to_ascii_lowercase()), "by hand").await
}

fn app_host(platform: &Platform, app: &AppId) -> String {
    let url = app_url(platform, app);
    let host = url.split("://").nth(1).unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_owned()
}

async fn prove(platform: &Platform, (host, challenge): (&str, &str), target: &str) -> Result<(), Fault> {
    let name = format!("_darter.{host}");
    let texts = platform.apps.resolver.txt(&name).await;
    if texts.as_ref().is_ok_and(|texts| texts.iter().any(|text| text.trim() == challenge)) {
        return Ok(());
    }
    let alias = platform.apps.resolver.cname(host).await;
    if alias.as_ref().is_ok_and(|alias| alias.as_deref().is_some_and(|alias| alias.trim_end_matches('.') == target)) {
        return Ok(());
    }
    let seen = match (texts, alias) {
        (Ok(texts), _) if !texts.is_empty() => format!("{name} has other TXT values"),
        (_, Ok(Some(alias))) => format!("{host} is a CNAME of {alias}"),
        (Ok(_), Ok(None)) => "neither record was found".to_owned(),
        (Err(error), _) | (_, Err(error)) => format!("the name server could not be asked: {error}"),
    };
    Err(Fault::conflict(
        "domain.not_proven",
        format!(
            "The domain is not proven: {seen}. Make a TXT record {name} with the value {challenge}, or a CNAME record {host} to {target}, wait until it is visible (minutes to an hour), then verify again."
        ),
    ))
}

async fn accept(
    platform: &Platform,
    actor: &Actor,
    (app, host): (&AppId, &str),
    how: &str,
) -> Result<api::Domain, Fault> {
    let mut opened = Opened::write(platform, actor, app, Action::Own).await?;
    let mut found = domain::lookup(&mut opened.tx, app, host).await?.ok_or_else(not_found)?;
    if domain::is_taken(&mut opened.tx, app, host).await? {
        return Err(taken());
    }
    match domain::verify(&mut opened.tx, app, host).await {
        Ok(true) => found.verified = true,
        Ok(false) => return Err(not_found()),
        Err(error) if error.is_duplicate() => return Err(taken()),
        Err(error) => return Err(error.into()),
    }
    opened.audit("domain.verify", host, serde_json::json!({ "how": how })).await?;
    opened.tx.commit().await?;
    platform.apps.routes.add_domain(host, app);
    Ok(show(found))
}
