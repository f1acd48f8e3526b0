//! What the engine asks of the platform: what a workspace starts from; and what it tells: what it sees.
//!
//! Sights are written by one task in the order in which they were seen. A sight never changes what an owner wants, but
//! for one: a workspace that was ended because it was quiet is wanted asleep, and one that was opened is wanted awake.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use darter_core::workspace::Desired;
use darter_core::workspace::lifecycle::State;
use darter_core::{Fault, Kind, Millis, WorkspaceId};
use darter_engine::workspace::{KeptHome, Observed, Trouble, WorkspaceBundle, WorkspaceSource};
use darter_store::workspace_observed::ObservedRow;
use darter_store::{workspace, workspace_observed};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use super::access::not_found;
use super::{snapshot, view};
use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// Something to write.
#[derive(Debug)]
pub(crate) enum Sight {
    Seen(WorkspaceId, Observed, Millis),
    /// It was opened while it was asleep.
    Opened(WorkspaceId, Millis),
    /// Its home was missing, and was made of this snapshot.
    BroughtBack(WorkspaceId, String),
}

/// What is kept of a sight besides its state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Detail {
    pub trouble: Option<Trouble>,
    pub start: Option<darter_core::record::StartPhases>,
}

/// The engine is made before the platform that holds it: this knows the platform as soon as it is there, and does not
/// keep it alive.
#[derive(Default)]
pub struct Residents {
    platform: OnceLock<Weak<Platform>>,
}

impl Residents {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Tells where to load from, and begins to write what is seen. The first call counts.
    pub fn connect(&self, platform: &Arc<Platform>) {
        if self.platform.set(Arc::downgrade(platform)).is_err() {
            return;
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        if platform.workspaces.sights.set(sender).is_ok() {
            tokio::spawn(write(Arc::downgrade(platform), receiver));
        }
    }

    fn platform(&self) -> Result<Arc<Platform>, Fault> {
        let known = self.platform.get().and_then(Weak::upgrade);
        known.ok_or_else(|| {
            let message = "The server is starting or stopping. Try again in a moment.";
            Fault::new(Kind::Unavailable, "server.stopping", message).retry_after(1)
        })
    }
}

#[async_trait]
impl WorkspaceSource for Residents {
    async fn load(&self, id: &WorkspaceId) -> Result<WorkspaceBundle, Fault> {
        let platform = self.platform()?;
        let (row, owner_name) = {
            let mut tx = platform.store.read().await?;
            workspace::find(&mut tx, id).await?.ok_or_else(not_found)?
        };
        match row.desired {
            Desired::Awake | Desired::Asleep => {}
            // The home of a clone is made before anybody sees it.
            Desired::Recycled if platform.workspaces.is_filling(id) => {}
            Desired::Recycled => return Err(darter_core::workspace::desired::recycled()),
        }
        let addresses = view::addresses(&platform, &owner_name, id);
        Ok(WorkspaceBundle {
            id: id.clone(),
            owner: row.owner,
            environment: row.environment,
            depth: row.depth,
            limits: Arc::new(row.limits),
            variables: BTreeMap::from([
                ("DARTER_WORKSPACE".to_owned(), id.to_string()),
                ("DARTER_EDITOR_TOKEN".to_owned(), platform.workspaces.editor_token(id)),
            ]),
            rest: row.rest,
            hostname: host_name(&row.name),
            port_address: addresses.port,
        })
    }

    async fn kept(&self, id: &WorkspaceId) -> Result<Option<KeptHome>, Fault> {
        snapshot::kept(&self.platform()?, id).await
    }

    fn brought_back(&self, id: &WorkspaceId, kept: &str) {
        let Ok(platform) = self.platform() else { return };
        platform.workspaces.send(Sight::BroughtBack(id.clone(), kept.to_owned()));
    }

    fn observed(&self, id: &WorkspaceId, seen: Observed) {
        let Ok(platform) = self.platform() else { return };
        platform.workspaces.changed(id);
        platform.workspaces.send(Sight::Seen(id.clone(), seen, platform.clock.now()));
    }

    fn opened(&self, id: &WorkspaceId) {
        let Ok(platform) = self.platform() else { return };
        platform.workspaces.send(Sight::Opened(id.clone(), platform.clock.now()));
    }
}

impl super::WorkspaceSide {
    pub(crate) fn send(&self, sight: Sight) {
        // Without a writer the platform is not yet or no longer there, and the next start settles everything.
        if let Some(sender) = self.sights.get() {
            let _ = sender.send(sight);
        }
    }
}

/// A name as a machine can have one: what a person sees in the prompt.
fn host_name(name: &str) -> String {
    let letters =
        name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    let plain: String = letters.take(40).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "workspace".to_owned() } else { plain.to_owned() }
}

async fn write(platform: Weak<Platform>, mut sights: mpsc::UnboundedReceiver<Sight>) {
    // What was written last of those that live: what somebody inside says again and again costs no write.
    let mut last: HashMap<WorkspaceId, Observed> = HashMap::new();
    while let Some(sight) = sights.recv().await {
        let Some(platform) = platform.upgrade() else { return };
        let id = match &sight {
            Sight::Seen(id, seen, _) if last.get(id) == Some(seen) => continue,
            Sight::Seen(id, seen, _) => {
                if seen.state.is_live() {
                    last.insert(id.clone(), seen.clone());
                } else {
                    last.remove(id);
                }
                id.clone()
            }
            Sight::Opened(id, _) | Sight::BroughtBack(id, _) => id.clone(),
        };
        if let Err(fault) = put(&platform, sight).await {
            tracing::warn!(%fault, cause = ?fault.cause, workspace = %id, "what was seen of a workspace could not be written");
        }
        platform.workspaces.changed(&id);
    }
}

async fn put(platform: &Platform, sight: Sight) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    match sight {
        Sight::Opened(id, at) => {
            workspace::wish(&mut tx, &id, (Desired::Asleep, Desired::Awake), at).await?;
            workspace::used(&mut tx, &id, at).await?;
        }
        Sight::BroughtBack(id, kept) => {
            let details = json!({ "snapshot": kept, "why": "home_missing" });
            record(&mut tx, &Actor::server(), Change::of("snapshot.restore", &id, details)).await?;
        }
        Sight::Seen(id, seen, at) => {
            if seen.rested && seen.state == State::Stopped {
                workspace::wish(&mut tx, &id, (Desired::Awake, Desired::Asleep), seen.since).await?;
            }
            let mut detail = Detail { trouble: seen.trouble, start: seen.start };
            if detail.start.is_none() {
                // How the last start went stays known when it is not running any more.
                let before = workspace_observed::get(&mut tx, &id).await?;
                detail.start = before.and_then(|row| serde_json::from_str::<Detail>(&row.detail).ok()?.start);
            }
            let row = ObservedRow {
                state: view::state_word(seen.state).to_owned(),
                since: seen.since,
                detail: serde_json::to_string(&detail).map_err(Fault::internal)?,
                updated_at: at,
            };
            workspace_observed::put(&mut tx, &id, &row).await?;
        }
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_made_of_what_a_person_wrote() {
        for (name, host) in
            [("Thesis 2", "thesis-2"), ("ü", "workspace"), ("--a--", "a"), ("Été à la mer", "t----la-mer")]
        {
            assert_eq!(host_name(name), host);
        }
    }
}
