//! A whole app as one file, for its owner. Values of secrets never leave.

use std::collections::BTreeMap;

use darter_core::role::Action;
use darter_core::{AppId, Fault};
use darter_store::{dependency, function, secret, variable, version};
use tokio::sync::Semaphore;

use super::archive::{self, Archive, Manifest, ManifestFunction, ManifestVersion};
use crate::access::Opened;
use crate::{Actor, Platform};

/// The file and the name to offer for it.
#[derive(Debug)]
pub struct Exported {
    pub file_name: String,
    pub bytes: Vec<u8>,
}

/// Exports at once: each holds a whole app in memory.
static PLACES: Semaphore = Semaphore::const_new(4);

/// Packs the app.
pub async fn export(platform: &Platform, actor: &Actor, id: &AppId) -> Result<Exported, Fault> {
    // Before anything is opened: who waits must hold no place in the database.
    let _place = PLACES.acquire().await.map_err(Fault::internal)?;
    let mut opened = Opened::read_as(platform, actor, id, Action::Own).await?;
    let archive = gather(&mut opened).await?;
    let file_name = format!("{id}.zip");
    drop(opened);
    let bytes = tokio::task::spawn_blocking(move || archive::write(&archive)).await.map_err(Fault::internal)??;
    Ok(Exported { file_name, bytes })
}

async fn gather(opened: &mut Opened<'_>) -> Result<Archive, Fault> {
    let id = opened.id().clone();
    let mut manifest = Manifest::new(opened.app.app.name.clone(), opened.app.app.limits.clone());
    let (mut drafts, mut live) = (BTreeMap::new(), BTreeMap::new());
    let tx = &mut opened.tx;
    for (name, draft) in function::drafts(tx, &id).await? {
        let Some(found) = function::lookup(tx, &id, &name).await? else { continue };
        let mut entry = ManifestFunction {
            name: name.clone(),
            description: found.summary.description,
            methods: found.summary.methods,
            live: None,
        };
        if let Some(number) = found.summary.live_version
            && let Some((version, source)) = version::lookup(tx, &id, &name, number).await?
        {
            let (methods, message, created_at) = (version.methods, version.message, version.created_at);
            entry.live = Some(ManifestVersion { number, methods, message, created_at });
            live.insert(name.clone(), source);
        }
        manifest.functions.push(entry);
        drafts.insert(name, draft);
    }
    manifest.variables =
        variable::list(tx, &id).await?.into_iter().map(|variable| (variable.name, variable.value)).collect();
    manifest.secrets = secret::list(tx, &id).await?.into_iter().map(|secret| secret.name).collect();
    let dependencies = dependency::get(tx, &id).await?;
    manifest.packages = dependencies.wanted;
    Ok(Archive { manifest, drafts, live, lockfile: dependencies.lockfile })
}
