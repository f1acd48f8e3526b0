//! Publishing: the draft becomes an immutable version, the version becomes live, instances swap.
//!
//! Compile first, then one transaction (version, live pointer, audit), then the swap. Whoever gets the answer knows
//! that the version is on disk and answers calls. A crash between commit and swap loses nothing: instances end with
//! the process, and every start reads the store.

use std::collections::BTreeMap;
use std::time::Instant;

use darter_api::function as api;
use darter_core::{AppId, Fault};
use darter_store::function::{self, Function, LiveCode};
use darter_store::version::{self, NewVersion, Version};

use super::compile::{Built, build_aside, check_sizes, code_bytes, digest, import_cycle, warnings};
use super::save::{check_room, stale};
use super::swap;
use super::view::{self, not_found};
use crate::access::Opened;
use crate::{Actor, Platform};

/// Longest message of a version, in characters.
const MESSAGE_LIMIT: usize = 500;

/// What a publish answers: what it did, and the draft's revision after it.
pub type Outcome = (api::Published, i64);

/// Publishes the draft, or the given source after saving it as the draft. With `expected`, only if the draft is still
/// at that revision.
pub async fn publish(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    (input, expected): (api::Publish, Option<i64>),
) -> Result<Outcome, Fault> {
    let message = input.message.unwrap_or_default();
    if message.chars().count() > MESSAGE_LIMIT || message.contains('\0') {
        return Err(Fault::invalid(
            "version.message_too_long",
            format!("A message has at most {MESSAGE_LIMIT} characters. Shorten it."),
        ));
    }
    let _turn = platform.apps.turns.take(app).await;
    let mut function = read_draft(platform, actor, (app, name)).await?;
    if expected.is_some_and(|expected| expected != function.summary.revision) {
        return Err(stale(&function));
    }
    let began = Instant::now();
    let read_at = function.summary.revision;
    if let Some(source) = input.source.filter(|source| *source != function.source) {
        function.source = source;
        function.summary.digest = digest(&function.summary.methods, &function.source);
        function.summary.revision += 1;
    }
    let built = build_aside(name, &function.source).await?;
    let compiled = Instant::now();
    let (version, code, warnings) = commit(platform, actor, (function.clone(), read_at), (built, message)).await?;
    let stored = Instant::now();
    swap::published(platform, app, code).await;
    let phases = [("compile", began, compiled), ("store", compiled, stored), ("swap", stored, Instant::now())];
    let phases = phases.map(|(name, from, to)| phase(name, to.duration_since(from))).to_vec();
    let version = view::version(platform, (app, name), version);
    Ok((api::Published { version, phases, warnings }, function.summary.revision))
}

pub(crate) fn phase(name: &str, took: std::time::Duration) -> api::Phase {
    api::Phase { name: name.to_owned(), us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX) }
}

/// The draft, for somebody who may publish it. Read outside of a write: compiling must not keep others from writing.
async fn read_draft(platform: &Platform, actor: &Actor, (app, name): (&AppId, &str)) -> Result<Function, Fault> {
    let mut opened = Opened::read_to_edit(platform, actor, app).await?;
    function::lookup(&mut opened.tx, app, name).await?.ok_or_else(|| not_found(name))
}

async fn commit(
    platform: &Platform,
    actor: &Actor,
    (mut function, read_at): (Function, i64),
    (built, message): (Built, String),
) -> Result<(Version, LiveCode, Vec<String>), Fault> {
    let (app, name) = (function.summary.app.clone(), function.summary.name.clone());
    let mut opened = Opened::edit(platform, actor, &app).await?;
    let mut live: BTreeMap<_, _> = function::live_imports(&mut opened.tx, &app).await?.into_iter().collect();
    let warnings = warnings(&name, &built.imports, &live);
    live.insert(name.clone(), built.imports.clone());
    import_cycle(&live)?;
    check_sizes(version::sizes(&mut opened.tx, &app, &name).await?, &function.source, &built)?;
    if function.summary.revision != read_at {
        check_room(&mut opened.tx, &app, (&name, &function.source)).await?;
    }
    let now = platform.clock.now();
    let number = function.summary.last_version + 1;
    let summary = &mut function.summary;
    (summary.live_version, summary.last_version) = (Some(number), number);
    if summary.revision != read_at {
        (summary.updated_at, summary.updated_by) = (now, opened.account.clone());
    }
    if !function::update(&mut opened.tx, &function, read_at).await? {
        let current = function::lookup(&mut opened.tx, &app, &name).await?;
        return Err(current.map_or_else(|| not_found(&name), |current| stale(&current)));
    }
    let version = new_version(&function, &built, (message, now), &opened.account);
    version::insert(&mut opened.tx, &version).await?;
    let details = serde_json::json!({ "version": number, "digest": version.digest, "message": version.message });
    opened.audit("function.publish", &name, details).await?;
    opened.tx.commit().await?;
    if function.summary.revision != read_at {
        platform.apps.languages.changed(&app, &name, Some(&function.source));
    }
    let shown = shown(&version, actor.name());
    let methods = function.summary.methods;
    Ok((
        shown,
        LiveCode { name, version: number, code: built.code, map: built.map, methods, imports: built.imports },
        warnings,
    ))
}

fn new_version(
    function: &Function,
    built: &Built,
    (message, now): (String, i64),
    author: &darter_core::AccountId,
) -> NewVersion {
    NewVersion {
        function: function.summary.id.clone(),
        app: function.summary.app.clone(),
        number: function.summary.last_version,
        source: function.source.clone(),
        code: built.code.clone(),
        map: built.map.clone(),
        imports: built.imports.clone(),
        methods: function.summary.methods.clone(),
        digest: function.summary.digest.clone(),
        message,
        author: author.clone(),
        code_bytes: code_bytes(built),
        created_at: now,
    }
}

fn shown(version: &NewVersion, author: &str) -> Version {
    Version {
        number: version.number,
        live: true,
        methods: version.methods.clone(),
        digest: version.digest.clone(),
        message: version.message.clone(),
        author: author.to_owned(),
        source_bytes: version.source.len() as u64,
        created_at: version.created_at,
    }
}
