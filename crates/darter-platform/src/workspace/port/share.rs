//! Links that open one port to whoever has them, until they end or are taken away.

use darter_api::page::Page;
use darter_api::workspace as api;
use darter_core::role::{Action, TokenScope};
use darter_core::workspace::port::validate;
use darter_core::{Fault, ShareId, WorkspaceId};
use darter_store::{door, port};
use serde_json::json;

use crate::credential::{digest, secret};
use crate::workspace::access::Opened;
use crate::workspace::config::millis;
use crate::workspace::view::addresses;
use crate::{Actor, Platform};

const HOUR: u64 = 3_600_000;
/// How long a link is good for unless told.
const USUAL: u64 = 24 * HOUR;
/// And at most.
const MOST: u64 = 90 * 24 * HOUR;
/// Links of one workspace.
const PER_WORKSPACE: usize = 200;

/// Makes a link; its secret is shown only now.
pub async fn share(
    platform: &Platform,
    actor: &Actor,
    (id, number): (&WorkspaceId, u16),
    input: api::SharePort,
) -> Result<api::PortShare, Fault> {
    validate(number)?;
    let span = input.for_ms.unwrap_or(USUAL);
    if !(60_000..=MOST).contains(&span) {
        let message = format!("for_ms is {span}; choose a value from 60000 to {MOST}.");
        return Err(Fault::invalid("limit.out_of_range", message).with("limit", "for_ms").with("max", MOST));
    }
    let now = platform.clock.now();
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?.not_recycled()?;
    if port::shares(&mut opened.tx, id, now).await?.len() >= PER_WORKSPACE {
        let message =
            format!("This workspace has {PER_WORKSPACE} share links, which is the most. Take one away first.");
        return Err(Fault::conflict("port.too_many_shares", message));
    }
    let row = port::Share {
        id: ShareId::generate(now, &*platform.random),
        workspace: id.clone(),
        port: number,
        created_by: opened.found.workspace.owner.clone(),
        created_at: now,
        expires_at: now.saturating_add(millis(span)),
    };
    let secret = format!("share_{}", secret(&*platform.random));
    port::insert_share(&mut opened.tx, &row, &digest(&secret)).await?;
    opened.audit("port.share", &number.to_string(), json!({ "share": row.id, "expires_at": row.expires_at })).await?;
    opened.tx.commit().await?;
    let host = addresses(platform, &opened.found.owner_name, id).port.replace("{{port}}", &number.to_string());
    Ok(api::PortShare { url: Some(format!("{host}/.darter/enter?code={secret}")), ..shown(&row) })
}

fn shown(row: &port::Share) -> api::PortShare {
    api::PortShare {
        id: row.id.to_string(),
        port: row.port,
        url: None,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

/// Links that have not ended, without their secrets.
pub async fn shares(platform: &Platform, actor: &Actor, id: &WorkspaceId) -> Result<Page<api::PortShare>, Fault> {
    let mut opened = Opened::read_as(platform, actor, id, (Action::Own, TokenScope::Read)).await?;
    let rows = port::shares(&mut opened.tx, id, platform.clock.now()).await?;
    Ok(Page { items: rows.iter().map(shown).collect(), next: None })
}

/// Takes a link away. Whoever came in by it is out within a minute.
pub async fn unshare(platform: &Platform, actor: &Actor, (id, share): (&WorkspaceId, &ShareId)) -> Result<(), Fault> {
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?;
    if !port::remove_share(&mut opened.tx, id, share).await? {
        let message = "There is no such share link, or it has ended. Load the list again.";
        return Err(Fault::not_found("port.share_not_found", message));
    }
    door::leave_share(&mut opened.tx, id, share).await?;
    opened.audit("port.unshare", share.as_str(), json!({})).await?;
    Ok(opened.tx.commit().await?)
}
