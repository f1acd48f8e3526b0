//! Looking at functions and their versions.

use darter_api::function as api;
use darter_api::page::{Page, PageQuery};
use darter_core::{AppId, Fault};
use darter_store::{function, version as versions_of};

use super::view::{self, not_found, version_not_found};
use crate::access::Opened;
use crate::page::{limit_of, malformed_cursor};
use crate::{Actor, Platform};

/// An app's functions by name.
pub async fn list(
    platform: &Platform,
    actor: &Actor,
    app: &AppId,
    page: &PageQuery,
) -> Result<Page<api::FunctionSummary>, Fault> {
    let limit = limit_of(page)?;
    let mut opened = Opened::read(platform, actor, app).await?;
    let mut found = function::list(&mut opened.tx, app, page.cursor.as_deref().unwrap_or_default(), limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.name.clone());
    Ok(Page { items: found.iter().map(|function| view::summary(platform, function)).collect(), next })
}

/// One function with its draft.
pub async fn get(platform: &Platform, actor: &Actor, app: &AppId, name: &str) -> Result<api::Function, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    let function = function::lookup(&mut opened.tx, app, name).await?.ok_or_else(|| not_found(name))?;
    Ok(view::show(platform, function))
}

/// A function's versions, the newest first.
pub async fn versions(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    page: &PageQuery,
) -> Result<Page<api::Version>, Fault> {
    let limit = limit_of(page)?;
    let before = match page.cursor.as_deref() {
        Some(cursor) => cursor.parse().map_err(|_| malformed_cursor())?,
        None => u32::MAX,
    };
    let mut opened = Opened::read(platform, actor, app).await?;
    if function::lookup(&mut opened.tx, app, name).await?.is_none() {
        return Err(not_found(name));
    }
    let mut found = versions_of::list(&mut opened.tx, app, name, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.number.to_string());
    Ok(Page { items: found.into_iter().map(|version| view::version(platform, (app, name), version)).collect(), next })
}

/// One version with its source.
pub async fn version(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    number: u32,
) -> Result<api::VersionSource, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    if function::lookup(&mut opened.tx, app, name).await?.is_none() {
        return Err(not_found(name));
    }
    let found = versions_of::lookup(&mut opened.tx, app, name, number).await?;
    let (version, source) = found.ok_or_else(|| version_not_found(name, number))?;
    Ok(api::VersionSource { version: view::version(platform, (app, name), version), source })
}
