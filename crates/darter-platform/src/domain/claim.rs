//! Wanting a host, and letting go of it. Wanting proves nothing and keeps nobody else from wanting it too.

use darter_api::app as api;
use darter_api::page::Page;
use darter_core::role::Action;
use darter_core::{AppId, Fault};
use darter_store::domain::{self, Domain};

use super::host::normalise;
use crate::access::Opened;
use crate::{Actor, Platform};

/// Domains of one app.
const LIMIT: usize = 20;

pub(super) fn show(domain: Domain) -> api::Domain {
    api::Domain {
        host: domain.host,
        verified: domain.verified,
        challenge: domain.challenge,
        created_at: domain.created_at,
    }
}

/// What the answer is when the host is another app's. It does not say whose.
pub(super) fn taken() -> Fault {
    Fault::conflict(
        "domain.taken",
        "Another app on this server has proven this host. Remove it there first, or ask an administrator.",
    )
}

pub(super) fn not_found() -> Fault {
    Fault::not_found("domain.not_found", "This app has no domain with this host name. See the list of its domains.")
}

/// All of an app.
pub async fn list(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Page<api::Domain>, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    let found = domain::list(&mut opened.tx, app).await?;
    Ok(Page { items: found.into_iter().map(show).collect(), next: None })
}

/// Adds a host, to be proven.
pub async fn create(
    platform: &Platform,
    actor: &Actor,
    app: &AppId,
    input: api::CreateDomain,
) -> Result<api::Domain, Fault> {
    let mut opened = Opened::write(platform, actor, app, Action::Own).await?;
    let host = normalise(&input.host, &platform.config.own_domains())?;
    let found = domain::list(&mut opened.tx, app).await?;
    if found.iter().any(|known| known.host == host) {
        return Err(Fault::conflict("domain.exists", "This app has this domain already."));
    }
    if found.len() >= LIMIT {
        return Err(Fault::conflict(
            "domain.too_many",
            format!("An app has at most {LIMIT} domains. Remove one that is not needed."),
        ));
    }
    if domain::is_taken(&mut opened.tx, app, &host).await? {
        return Err(taken());
    }
    let challenge = format!("darter-{}", darter_core::random::text(&*platform.random, 32));
    let domain = Domain { host: host.clone(), verified: false, challenge, created_at: platform.clock.now() };
    domain::insert(&mut opened.tx, app, &domain).await?;
    opened.audit("domain.create", &host, serde_json::json!({})).await?;
    opened.tx.commit().await?;
    Ok(show(domain))
}

/// Lets go of a host.
pub async fn remove(platform: &Platform, actor: &Actor, app: &AppId, host: &str) -> Result<(), Fault> {
    let mut opened = Opened::write(platform, actor, app, Action::Own).await?;
    let host = host.to_ascii_lowercase();
    if !domain::remove(&mut opened.tx, app, &host).await? {
        return Err(not_found());
    }
    opened.audit("domain.delete", &host, serde_json::json!({})).await?;
    opened.tx.commit().await?;
    platform.apps.routes.remove_domain(&host, app);
    Ok(())
}
