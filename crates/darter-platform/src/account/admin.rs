//! What an administrator of the server does with accounts. Never: read what is in their apps.

use darter_api::page::{Page, PageQuery};
use darter_api::system::{AdminAccount, UpdateAdminAccount};
use darter_core::{AccountId, Fault};
use darter_store::{account, app, session, setting};

use crate::audit::{Change, record};
use crate::page::{cut, limit_of, time_and_id};
use crate::{Actor, Platform};

/// All accounts, the oldest first.
pub async fn list(platform: &Platform, actor: &Actor, page: &PageQuery) -> Result<Page<AdminAccount>, Fault> {
    actor.require_administrator()?;
    let limit = limit_of(page)?;
    let after = page.cursor.as_deref().map(time_and_id).transpose()?;
    let (rows, more) = cut(account::list(&mut *platform.store.read().await?, after, limit + 1).await?, limit);
    let next = rows.last().filter(|_| more).map(|(last, _)| format!("{}.{}", last.created_at, last.id));
    Ok(Page { items: rows.into_iter().map(|(row, apps)| show(row, apps)).collect(), next })
}

/// Makes somebody an administrator or not, disables or enables. The last administrator stays one.
pub async fn update(
    platform: &Platform,
    actor: &Actor,
    (id, input): (&AccountId, UpdateAdminAccount),
) -> Result<AdminAccount, Fault> {
    actor.require_administrator()?;
    let mut tx = platform.store.write().await?;
    setting::lock(&mut tx).await?;
    let found = account::lookup(&mut tx, id).await?;
    let mut row =
        found.ok_or_else(|| Fault::not_found("account.not_found", "There is no such account. Load the list again."))?;
    row.administrator = input.administrator.unwrap_or(row.administrator);
    row.disabled = input.disabled.unwrap_or(row.disabled);
    row.updated_at = platform.clock.now();
    if (!row.administrator || row.disabled) && account::other_administrators(&mut tx, id).await? == 0 {
        let message = "This is the last administrator. Make somebody else one first.";
        return Err(Fault::conflict("account.last_administrator", message));
    }
    account::update(&mut tx, &row).await?;
    if row.disabled {
        session::remove_others(&mut tx, id, None).await?;
    }
    let details = serde_json::json!({ "administrator": input.administrator, "disabled": input.disabled });
    record(&mut tx, actor, Change::of("account.administer", id, details)).await?;
    let apps = app::count_owned(&mut tx, id).await?;
    tx.commit().await?;
    platform.credentials.forget(id);
    Ok(show(row, apps))
}

pub(crate) fn show(row: account::Account, apps: u32) -> AdminAccount {
    AdminAccount {
        id: row.id.to_string(),
        username: row.username,
        email: row.email.unwrap_or_default(),
        administrator: row.administrator,
        disabled: row.disabled,
        apps,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
    }
}
