//! An app from a file: checked as a whole, then made in one transaction, or not at all.

use std::sync::Arc;

use darter_api::app as api;
use darter_core::role::{Role, TokenScope};
use darter_core::{AccountId, Fault, FunctionId};
use darter_store::Tx;
use darter_store::app::{App, MemberApp};
use darter_store::dependency::{self, Dependencies};
use darter_store::function::{self, Function, FunctionSummary};
use darter_store::variable::{self, Variable};
use darter_store::version::{self, NewVersion};
use tokio::sync::Semaphore;

use super::archive::{self, Archive, ManifestFunction};
use super::view::show;
use crate::function::compile::{Built, build, check_sizes, code_bytes, digest, import_cycle};
use crate::function::save::DRAFT_LIMIT;
use crate::{Actor, Platform, resource};

/// Imports at once: each holds a whole app in memory.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A function of the file, with its live version compiled.
struct Prepared {
    entry: ManifestFunction,
    draft: String,
    live: Option<(String, Built)>,
}

/// Makes a new app from the file of an export. Packages are installed afterwards, as after a change of the list.
pub async fn import(platform: &Arc<Platform>, actor: &Actor, bytes: bytes::Bytes) -> Result<api::App, Fault> {
    let account = actor.require(TokenScope::Write)?.clone();
    // Asked again where it counts: here it saves the work for nothing.
    super::create::check_quota(&mut platform.store.read().await?, &account).await?;
    let _place = PLACES.acquire().await.map_err(Fault::internal)?;
    let (archive, prepared) = tokio::task::spawn_blocking(move || prepare(&bytes)).await.map_err(Fault::internal)??;
    let mut tx = platform.store.write().await?;
    let head = (archive.manifest.name.clone(), archive.manifest.limits.clone());
    let app = super::create::insert(platform, &mut tx, &account, head).await?;
    let count = u32::try_from(prepared.len()).unwrap_or(u32::MAX);
    for function in prepared {
        write_function(platform, &mut tx, (&app, &account), function).await?;
    }
    let now = platform.clock.now();
    for (name, value) in archive.manifest.variables {
        variable::set(&mut tx, &app.id, &Variable { name, value, updated_at: now }).await?;
    }
    let wanted = archive.manifest.packages;
    let dependencies = Dependencies { wanted: wanted.clone(), lockfile: archive.lockfile, ..Dependencies::default() };
    dependency::set(&mut tx, &app.id, &dependencies).await?;
    let details =
        serde_json::json!({ "name": app.name, "functions": count, "secrets_to_set": archive.manifest.secrets });
    let change =
        crate::audit::Change { operation: "app.import", object: app.id.to_string(), app: Some(&app.id), details };
    crate::audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    platform.apps.routes.set(&app.id, app.state, app.limits.clone());
    super::keep(platform, &app.id);
    if !wanted.is_empty()
        && let Err(fault) = resource::start_install(platform, &app.id).await
    {
        // The app is made: whoever hears of a failure now would make it a second time.
        tracing::warn!(app = %app.id, %fault, "the packages of an imported app are not being installed");
    }
    Ok(show(platform, &MemberApp { app, role: Role::Owner, functions: count }, None))
}

/// Everything that costs CPU and needs no store.
fn prepare(bytes: &[u8]) -> Result<(Archive, Vec<Prepared>), Fault> {
    let mut archive = archive::read(bytes)?;
    if archive.drafts.values().map(|draft| draft.len() as u64).sum::<u64>() > DRAFT_LIMIT {
        return Err(archive::too_large(format!("its drafts together are over {DRAFT_LIMIT} bytes")));
    }
    let (mut prepared, mut sizes) = (Vec::new(), (0, 0));
    for entry in archive.manifest.functions.clone() {
        let live = match archive.live.remove(&entry.name) {
            Some(source) => {
                let built = build(&entry.name, &source).map_err(|fault| fault.with("function", entry.name.as_str()))?;
                check_sizes(sizes, &source, &built)?;
                sizes = (sizes.0 + source.len() as u64, sizes.1 + code_bytes(&built));
                Some((source, built))
            }
            None => None,
        };
        let draft = archive.drafts.remove(&entry.name).unwrap_or_default();
        prepared.push(Prepared { entry, draft, live });
    }
    let imports =
        prepared.iter().filter_map(|one| Some((one.entry.name.clone(), one.live.as_ref()?.1.imports.clone())));
    import_cycle(&imports.collect())?;
    Ok((archive, prepared))
}

async fn write_function(
    platform: &Platform,
    tx: &mut Tx,
    (app, account): (&App, &AccountId),
    prepared: Prepared,
) -> Result<(), Fault> {
    let now = platform.clock.now();
    let Prepared { entry, draft, live } = prepared;
    let number = live.as_ref().map(|_| 1);
    let summary = FunctionSummary {
        id: FunctionId::generate(now, &*platform.random),
        app: app.id.clone(),
        name: entry.name,
        description: entry.description.chars().take(darter_core::function::DESCRIPTION_LIMIT).collect(),
        digest: digest(&entry.methods, &draft),
        methods: entry.methods,
        revision: 1,
        live_version: number,
        live_digest: None,
        last_version: number.unwrap_or(0),
        created_at: now,
        updated_at: now,
        updated_by: account.clone(),
        updated_by_name: String::new(),
    };
    let id = summary.id.clone();
    function::insert(tx, &Function { summary, source: draft }).await?;
    if let (Some((source, built)), Some(manifest)) = (live, entry.live) {
        let version = NewVersion {
            function: id,
            app: app.id.clone(),
            number: 1,
            digest: digest(&manifest.methods, &source),
            code_bytes: code_bytes(&built),
            source,
            code: built.code,
            map: built.map,
            imports: built.imports,
            methods: manifest.methods,
            message: manifest.message.chars().take(500).collect(),
            author: account.clone(),
            created_at: now,
        };
        version::insert(tx, &version).await?;
    }
    Ok(())
}
