//! Reading the record: one's own, an app's (its owners), everything (administrators).

use darter_api::audit as api;
use darter_api::page::{Page, PageQuery};
use darter_core::role::{Action, TokenScope};
use darter_core::{AppId, AuditId, Fault};
use darter_store::{Scope, Tx, audit};

use crate::access::Opened;
use crate::page::{cut, limit_of, malformed_cursor};
use crate::{Actor, Platform};

/// What the caller did.
pub async fn of_oneself(platform: &Platform, actor: &Actor, page: &PageQuery) -> Result<Page<api::AuditEntry>, Fault> {
    let account = actor.require(TokenScope::Read)?;
    let mut tx = platform.store.read().await?;
    read(&mut tx, Scope::Account(account), page).await
}

/// What was done to an app.
pub async fn of_app(
    platform: &Platform,
    actor: &Actor,
    app: &AppId,
    page: &PageQuery,
) -> Result<Page<api::AuditEntry>, Fault> {
    let mut opened = Opened::read_as(platform, actor, app, Action::Own).await?;
    read(&mut opened.tx, Scope::App(app), page).await
}

/// Everything that anybody changed.
pub async fn of_everything(
    platform: &Platform,
    actor: &Actor,
    page: &PageQuery,
) -> Result<Page<api::AuditEntry>, Fault> {
    actor.require_administrator()?;
    let mut tx = platform.store.read().await?;
    read(&mut tx, Scope::System, page).await
}

async fn read(tx: &mut Tx, scope: Scope<'_>, page: &PageQuery) -> Result<Page<api::AuditEntry>, Fault> {
    let limit = limit_of(page)?;
    let before =
        page.cursor.as_deref().map(|cursor| cursor.parse::<AuditId>().map_err(|_| malformed_cursor())).transpose()?;
    let (entries, more) = cut(audit::list(tx, scope, (before.as_ref(), limit + 1)).await?, limit);
    let next = entries.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items: entries.into_iter().map(show).collect(), next })
}

fn show(entry: audit::Entry) -> api::AuditEntry {
    api::AuditEntry {
        id: entry.id.to_string(),
        time: entry.time,
        actor: entry.actor,
        actor_name: entry.actor_name,
        operation: entry.operation,
        object: entry.object,
        app: entry.app.map(String::from),
        address: entry.address,
        request_id: entry.request_id,
        details: entry.details,
    }
}
