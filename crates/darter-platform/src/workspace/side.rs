//! What the platform keeps in memory about workspaces. Everything here is either rebuilt from the store at the start, or
//! may be lost with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use darter_core::workspace::pass::PassKey;
use darter_core::workspace::port::{Protocol, Visibility};
use darter_core::workspace::{Depth, Desired, EnvironmentName};
use darter_core::{AccountId, Fault, WorkspaceId};
use darter_engine::environment::Environments;
use darter_store::workspace::Workspace;
use darter_store::{port, workspace, workspace_observed};
use dashmap::DashMap;
use tokio::sync::{mpsc, watch};

use super::snapshot::Vault;
use super::source::Sight;
use crate::Platform;
use darter_engine::workspace::Workspaces;

/// A workspace as the front door sees it: what it needs for each request, without asking the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorplate {
    /// The owner's name, which decorates the host.
    pub owner_name: String,
    pub name: String,
    /// What its page and its files are made of.
    pub environment: EnvironmentName,
    pub depth: Depth,
    /// In the recycle bin: nobody may enter.
    pub recycled: bool,
    /// Ports that somebody decided about; the others are private and HTTP.
    pub ports: BTreeMap<u16, (Visibility, Protocol)>,
}

/// The workspaces side of the platform.
pub struct WorkspaceSide {
    pub engine: Arc<dyn Workspaces>,
    pub environments: Arc<dyn Environments>,
    /// The data of snapshots.
    pub(crate) vault: Vault,
    /// Signs the passes that let browsers in; the front door checks them with the same key.
    pub pass_key: PassKey,
    /// What editors' words are made from.
    editor_key: [u8; 32],
    seal_key: [u8; 32],
    plates: DashMap<WorkspaceId, Arc<Doorplate>>,
    watchers: DashMap<WorkspaceId, watch::Sender<u64>>,
    /// Clones whose homes are not whole yet, and whose they will be.
    filling: Arc<DashMap<WorkspaceId, AccountId>>,
    /// Sights on their way to the store.
    pub(crate) sights: OnceLock<mpsc::UnboundedSender<Sight>>,
}

impl WorkspaceSide {
    /// Nothing is loaded yet: see [`load`].
    pub(crate) fn new(
        engine: Arc<dyn Workspaces>,
        environments: Arc<dyn Environments>,
        (vault, master): (Vault, &[u8; 32]),
    ) -> Self {
        Self {
            engine,
            environments,
            vault,
            pass_key: PassKey::derive(master),
            editor_key: blake3::derive_key("darter 2026-11 words of editors", master),
            seal_key: blake3::derive_key("darter 2026-11 seals of editors' pages", master),
            plates: DashMap::new(),
            watchers: DashMap::new(),
            filling: Arc::default(),
            sights: OnceLock::new(),
        }
    }

    /// The word by which a workspace's editor knows the gateway, and nobody else's. Worth nothing outside its sandbox.
    pub fn editor_token(&self, id: &WorkspaceId) -> String {
        blake3::keyed_hash(&self.editor_key, id.as_str().as_bytes()).to_hex()[..32].to_owned()
    }

    /// A clone is being filled for as long as the answer lives: it may be worked on, counts as its owner's, and is not swept
    /// up.
    pub(crate) fn filling(&self, id: &WorkspaceId, owner: &AccountId) -> Filling {
        self.filling.insert(id.clone(), owner.clone());
        Filling(Arc::clone(&self.filling), id.clone())
    }

    pub(crate) fn is_filling(&self, id: &WorkspaceId) -> bool {
        self.filling.contains_key(id)
    }

    /// How many are being filled: of this account, and of everybody.
    pub(crate) fn fillings(&self, owner: &AccountId) -> (u32, u32) {
        let own = self.filling.iter().filter(|one| one.value() == owner).count();
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        (count(own), count(self.filling.len()))
    }

    /// What the page of a workspace's editor seals its secrets with in the browser.
    pub fn page_seal(&self, id: &WorkspaceId) -> [u8; 32] {
        *blake3::keyed_hash(&self.seal_key, id.as_str().as_bytes()).as_bytes()
    }

    /// The workspace of a host's id.
    pub fn plate(&self, id: &WorkspaceId) -> Option<Arc<Doorplate>> {
        self.plates.get(id).map(|plate| Arc::clone(&plate))
    }

    /// Makes the plate what the store says. After the commit.
    pub(crate) fn hang(&self, row: &Workspace, owner_name: &str) {
        let plate = Doorplate {
            owner_name: owner_name.to_owned(),
            name: row.name.clone(),
            environment: row.environment.clone(),
            depth: row.depth,
            recycled: row.desired == Desired::Recycled,
            ports: self.plate(&row.id).map(|plate| plate.ports.clone()).unwrap_or_default(),
        };
        self.plates.insert(row.id.clone(), Arc::new(plate));
    }

    /// What was decided about a port; None: nothing any more. After the commit.
    pub(crate) fn set_port(&self, id: &WorkspaceId, port: u16, decided: Option<(Visibility, Protocol)>) {
        if let Some(mut plate) = self.plates.get_mut(id) {
            let ports = &mut Arc::make_mut(&mut plate).ports;
            match decided {
                Some(decided) => ports.insert(port, decided),
                None => ports.remove(&port),
            };
        }
    }

    /// It is gone.
    pub(crate) fn take_down(&self, id: &WorkspaceId) {
        self.plates.remove(id);
        self.changed(id);
    }

    /// Tells everybody who watches it that something about it has changed.
    pub(crate) fn changed(&self, id: &WorkspaceId) {
        if let Some(watcher) = self.watchers.get(id) {
            watcher.send_modify(|count| *count = count.wrapping_add(1));
        }
        self.watchers.remove_if(id, |_, watcher| watcher.receiver_count() == 0);
    }

    /// Hears of every change from now on.
    pub(crate) fn watch(&self, id: &WorkspaceId) -> watch::Receiver<u64> {
        self.watchers.entry(id.clone()).or_default().subscribe()
    }
}

/// See [`WorkspaceSide::filling`].
pub(crate) struct Filling(Arc<DashMap<WorkspaceId, AccountId>>, WorkspaceId);

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.remove(&self.1);
    }
}

/// At the start, before the first request: nothing runs; what was kept awake is brought back by the reconciler.
pub(crate) async fn load(platform: &Platform) -> Result<(), Fault> {
    let now = platform.clock.now();
    let mut tx = platform.store.write().await?;
    workspace_observed::settle(&mut tx, now).await?;
    workspace::settle(&mut tx, now).await?;
    let doors = workspace::doors(&mut tx).await?;
    let ports = port::everywhere(&mut tx).await?;
    tx.commit().await?;
    for (row, owner_name) in doors {
        platform.workspaces.hang(&row, &owner_name);
    }
    for (id, port) in ports {
        platform.workspaces.set_port(&id, port.port, Some((port.visibility, port.protocol)));
    }
    Ok(())
}
