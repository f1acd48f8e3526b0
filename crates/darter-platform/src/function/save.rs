//! Saving a draft, or changing a function's name, description, methods. Saving is not publishing.

use darter_api::function as api;
use darter_core::function::{validate_methods, validate_name, validate_source};
use darter_core::{AppId, Fault, Kind};
use darter_store::Tx;
use darter_store::function::{self, Function};

use super::compile::digest;
use super::create::{taken, validate_description};
use super::swap;
use super::view::{self, not_found};
use crate::access::Opened;
use crate::{Actor, Platform};

/// A change and the revision that it was made on.
#[derive(Debug, Clone)]
pub struct Save {
    pub change: api::UpdateFunction,
    pub expected: i64,
}

/// Changes what is given, only if the function is still at the expected revision.
pub async fn save(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    save: Save,
) -> Result<api::Function, Fault> {
    // A rename changes what instances run, so it takes its turn with publishing.
    let renames = save.change.name.as_deref().is_some_and(|new| new != name);
    let _turn = if renames { Some(platform.apps.turns.take(app).await) } else { None };
    let mut opened = Opened::edit(platform, actor, app).await?;
    let mut function = function::lookup(&mut opened.tx, app, name).await?.ok_or_else(|| not_found(name))?;
    if function.summary.revision != save.expected {
        return Err(stale(&function));
    }
    if let Some(source) = &save.change.source {
        check_room(&mut opened.tx, app, (name, source)).await?;
    }
    apply(&mut function, save.change)?;
    let summary = &mut function.summary;
    summary.revision += 1;
    summary.updated_at = platform.clock.now();
    summary.updated_by = opened.account.clone();
    actor.name().clone_into(&mut summary.updated_by_name);
    if renames && function::lookup(&mut opened.tx, app, &function.summary.name).await?.is_some() {
        return Err(taken(&function.summary.name));
    }
    match function::update(&mut opened.tx, &function, save.expected).await {
        Ok(true) => {}
        Ok(false) => return Err(stale(&function)),
        Err(error) if error.is_duplicate() => return Err(taken(&function.summary.name)),
        Err(error) => return Err(error.into()),
    }
    let operation = if renames { "function.rename" } else { "function.save" };
    opened
        .audit(
            operation,
            name,
            serde_json::json!({ "name": function.summary.name, "revision": function.summary.revision }),
        )
        .await?;
    opened.tx.commit().await?;
    if renames {
        platform.apps.languages.changed(app, name, None);
    }
    platform.apps.languages.changed(app, &function.summary.name, Some(&function.source));
    if renames && function.summary.live_version.is_some() {
        swap::renamed(platform, app, (name, &function.summary.name)).await;
    }
    Ok(view::show(platform, function))
}

/// Bytes of all drafts of an app together: whoever exports it or opens an editor holds all of them in memory.
pub(crate) const DRAFT_LIMIT: u64 = 64 << 20;

/// Refuses a draft for which the app has no room.
pub(super) async fn check_room(tx: &mut Tx, app: &AppId, (name, source): (&str, &str)) -> Result<(), Fault> {
    if function::draft_bytes(tx, app, name).await? + source.len() as u64 <= DRAFT_LIMIT {
        return Ok(());
    }
    Err(Fault::conflict(
        "app.drafts_too_large",
        format!(
            "All drafts of this app together would be over {DRAFT_LIMIT} bytes. Nothing was saved. Move large data out of the code, or functions into another app."
        ),
    ))
}

fn apply(function: &mut Function, change: api::UpdateFunction) -> Result<(), Fault> {
    let summary = &mut function.summary;
    if let Some(name) = change.name {
        validate_name(&name)?;
        summary.name = name;
    }
    if let Some(description) = change.description {
        validate_description(&description)?;
        summary.description = description;
    }
    if let Some(methods) = change.methods {
        validate_methods(&methods)?;
        summary.methods = methods;
    }
    if let Some(source) = change.source {
        validate_source(&source)?;
        function.source = source;
    }
    summary.digest = digest(&summary.methods, &function.source);
    Ok(())
}

/// Says who changed it and when, so that the two can talk.
pub(super) fn stale(function: &Function) -> Fault {
    let summary = &function.summary;
    let who = if summary.updated_by_name.is_empty() { "Somebody" } else { &summary.updated_by_name };
    Fault::new(
        Kind::Stale,
        "function.stale",
        format!(
            "{who} changed {} since you read it. Nothing was saved. Load it again, compare, then save.",
            summary.name
        ),
    )
    .with("updated_by", summary.updated_by_name.as_str())
    .with("updated_at", summary.updated_at)
    .with("revision", summary.revision)
}
