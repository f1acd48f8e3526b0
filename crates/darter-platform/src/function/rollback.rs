//! An old version live again, exactly as it was, in one action. The draft stays what it is.

use std::collections::BTreeMap;
use std::time::Instant;

use darter_api::function as api;
use darter_core::{AppId, Fault};
use darter_store::{function, version};

use super::compile::{import_cycle, warnings};
use super::publish::phase;
use super::swap;
use super::view::{self, not_found, version_not_found};
use crate::access::Opened;
use crate::{Actor, Platform};

/// Makes a version live.
pub async fn rollback(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    number: u32,
) -> Result<api::Published, Fault> {
    let _turn = platform.apps.turns.take(app).await;
    let began = Instant::now();
    let mut opened = Opened::edit(platform, actor, app).await?;
    let mut found = function::lookup(&mut opened.tx, app, name).await?.ok_or_else(|| not_found(name))?;
    let missing = || version_not_found(name, number);
    let (mut shown, _) = version::lookup(&mut opened.tx, app, name, number).await?.ok_or_else(missing)?;
    let code = version::code(&mut opened.tx, app, name, number).await?.ok_or_else(missing)?;
    let mut live: BTreeMap<_, _> = function::live_imports(&mut opened.tx, app).await?.into_iter().collect();
    let warnings = warnings(name, &code.imports, &live);
    live.insert(name.to_owned(), code.imports.clone());
    import_cycle(&live)?;
    let before = found.summary.live_version.replace(number);
    let revision = found.summary.revision;
    if !function::update(&mut opened.tx, &found, revision).await? {
        return Err(super::save::stale(&found));
    }
    opened.audit("function.rollback", name, serde_json::json!({ "from": before, "to": number })).await?;
    opened.tx.commit().await?;
    let stored = Instant::now();
    swap::published(platform, app, code).await;
    shown.live = true;
    let phases = vec![phase("store", stored.duration_since(began)), phase("swap", stored.elapsed())];
    Ok(api::Published { version: view::version(platform, (app, name), shown), phases, warnings })
}
