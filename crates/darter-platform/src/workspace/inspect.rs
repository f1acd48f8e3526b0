//! Looking at workspaces: lists, and one.

use darter_api::page::{Page, PageQuery};
use darter_api::workspace as api;
use darter_core::role::TokenScope;
use darter_core::{Fault, WorkspaceId};
use darter_store::workspace::{self, WorkspaceFilter};

use super::access::Opened;
use super::view::show;
use crate::page::{cut, limit_of, time_and_id};
use crate::{Actor, Platform};

/// The caller's workspaces, the newest first. Those in the recycle bin only when asked for.
pub async fn list(
    platform: &Platform,
    actor: &Actor,
    query: &api::WorkspaceQuery,
) -> Result<Page<api::Workspace>, Fault> {
    let account = actor.require(TokenScope::Read)?.clone();
    let limit = limit_of(&PageQuery { cursor: None, limit: query.limit })?;
    let before = query.cursor.as_deref().map(time_and_id).transpose()?;
    let filter = WorkspaceFilter { desired: query.desired, before, limit: limit + 1 };
    let found = workspace::list(&mut *platform.store.read().await?, &account, &filter).await?;
    let (found, more) = cut(found, limit);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| format!("{}.{}", last.workspace.created_at, last.workspace.id));
    Ok(Page { items: found.iter().map(|found| show(platform, found)).collect(), next })
}

/// One workspace.
pub async fn get(platform: &Platform, actor: &Actor, id: &WorkspaceId) -> Result<api::Workspace, Fault> {
    let opened = Opened::read(platform, actor, id).await?;
    Ok(show(platform, &opened.found))
}
