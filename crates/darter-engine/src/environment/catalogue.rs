//! All environments by name: which are there, which are being installed, and how far. One install at a time.
//!
//! The truth is on disk: after `kill -9` whatever was not finished has no name, and is begun anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use darter_core::workspace::EnvironmentName;
use darter_core::{Clock, Fault, Kind};
use tokio::sync::{Semaphore, broadcast};

use super::Tools;
use super::contract::{EditorKind, Environments, InstalledEnvironment};
use super::disk::{self, About, Layer, RECORD};
use super::install::{self, Failed, Install};
use super::progress::{InstallEvent, InstallState, Progress};
use super::recipe::{Memory, Prerendered, Words};
use super::record::Record;
use super::source::{Kit, Kits, Unread};
use crate::local::layout::remove_tree;

/// Why a verified environment is broken.
const CHANGED: &str = "environment.changed";
/// Paths that a verification shows.
const SHOWN: usize = 20;

/// How an environment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Known, not on this machine yet.
    Available,
    Installing(InstallState),
    Installed {
        digest: String,
        bytes: u64,
        files: u64,
        /// The recipe has changed since; the new one is not installed yet.
        outdated: bool,
    },
    /// The last install or verification failed: code and words.
    Broken {
        code: String,
        message: String,
    },
}

/// An entry of the catalogue.
#[derive(Debug, Clone)]
pub struct Listed {
    pub name: EnvironmentName,
    pub words: Words,
    pub translations: BTreeMap<String, Words>,
    pub extends: Option<EnvironmentName>,
    /// The OCI image that it stands on, itself or through what it extends: its reference, or its layout's folder.
    pub image: Option<String>,
    pub shipped: bool,
    /// Its editor can work without a server of its own inside.
    pub light: bool,
    pub memory: Memory,
    pub state: State,
}

/// What the gateway answers for an editor by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditorPage {
    /// Names the static files: environments that extend the same one share a browser's cache.
    pub digest: String,
    pub content: PageContent,
}

/// Where an editor's page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageContent {
    /// It is rendered from VS Code's folder on this machine (`product.json` and the static files); `data` is where the
    /// editor keeps its own in the home.
    Vscode { folder: PathBuf, data: String },
    /// The install has kept it. Starts of addresses' paths, and the folders on this machine that they mean.
    Prerendered { page: Prerendered, file: PathBuf, files: Vec<(String, PathBuf)> },
}

struct Present {
    about: About,
    installed: Arc<InstalledEnvironment>,
}

#[derive(Default)]
struct Slot {
    /// The newest that is whole.
    present: Option<Present>,
    running: Option<Arc<Progress>>,
    broken: Option<(String, String)>,
}

impl Slot {
    /// Whether a sandbox is made of it, or waits to be.
    fn is_used(&self) -> bool {
        self.present.as_ref().is_some_and(|present| Arc::strong_count(&present.installed) > 1)
    }
}

/// The environments of this machine.
pub struct Catalogue {
    tools: Tools,
    kits: Kits,
    clock: Arc<dyn Clock>,
    slots: Mutex<BTreeMap<EnvironmentName, Slot>>,
    turn: Semaphore,
}

impl Catalogue {
    /// Reads the recipes and what is installed. Nothing runs yet, so what newer installs have replaced is removed.
    pub(crate) fn open(tools: Tools, clock: Arc<dyn Clock>) -> std::io::Result<Arc<Self>> {
        let kits = Kits::load(&tools.config.data.join("recipes"));
        let root = &tools.layout.environments;
        let mut slots = BTreeMap::new();
        for name in kits.known.keys() {
            let wanted = layers(&kits, name).ok().and_then(|layers| layers.last().cloned());
            let about = disk::newest(root, name, wanted.as_ref())?;
            slots.insert(
                name.clone(),
                Slot { present: about.and_then(|about| present(about, root)), ..Slot::default() },
            );
        }
        sweep(root, &slots)?;
        Ok(Arc::new(Self { tools, kits, clock, slots: Mutex::new(slots), turn: Semaphore::new(1) }))
    }

    fn root(&self) -> &Path {
        &self.tools.layout.environments
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<EnvironmentName, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kit(&self, name: &EnvironmentName) -> Result<&Kit, Fault> {
        self.kits.known.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.kits.known.keys().map(EnvironmentName::as_str).collect();
            let message = format!("There is no environment {name}. There are: {}.", names.join(", "));
            Fault::not_found("environment.not_found", message)
        })
    }

    fn listed(&self, kit: &Kit, slot: Option<&Slot>) -> Listed {
        let recipe = &kit.recipe;
        Listed {
            name: kit.name.clone(),
            words: Words { title: recipe.title.clone(), description: recipe.description.clone() },
            translations: recipe.translations.clone(),
            extends: recipe.extends.clone(),
            image: self.lineage(kit).find_map(|kit| Some(kit.recipe.image.as_ref()?.shown())),
            shipped: kit.shipped,
            light: self.editor_of(kit) == Some(EditorKind::Vscode),
            memory: recipe.memory,
            state: slot.map_or(State::Available, |slot| self.state(slot)),
        }
    }

    /// The editor of a recipe, or of the one it extends.
    fn editor_of(&self, kit: &Kit) -> Option<EditorKind> {
        self.lineage(kit).find_map(|kit| Some(kit.recipe.editor.as_ref()?.kind))
    }

    /// A kit and what it extends, for as long as that is known. A circle ends.
    fn lineage<'a>(&'a self, kit: &'a Kit) -> impl Iterator<Item = &'a Kit> {
        let above = |kit: &&'a Kit| kit.recipe.extends.as_ref().and_then(|name| self.kits.known.get(name));
        std::iter::successors(Some(kit), above).take(self.kits.known.len())
    }

    fn state(&self, slot: &Slot) -> State {
        if let Some(progress) = &slot.running {
            return State::Installing(progress.state());
        }
        if let Some((code, message)) = &slot.broken {
            return State::Broken { code: code.clone(), message: message.clone() };
        }
        slot.present.as_ref().map_or(State::Available, |present| State::Installed {
            digest: present.installed.digest.clone(),
            bytes: present.about.bytes,
            files: present.about.files,
            outdated: self.is_outdated(present),
        })
    }

    fn is_outdated(&self, present: &Present) -> bool {
        let wanted = layers(&self.kits, &present.installed.name);
        wanted.is_ok_and(|layers| layers.last().is_some_and(|own| own.digest != present.installed.digest))
    }

    async fn run(self: Arc<Self>, name: EnvironmentName, progress: Arc<Progress>, repair: bool) {
        // It is never closed.
        let _turn = self.turn.acquire().await;
        let ended = self.install_chain(&name, &progress, repair).await;
        let mut slots = self.slots();
        let slot = slots.entry(name.clone()).or_default();
        slot.running = None;
        match ended {
            Ok(present) => {
                let (digest, bytes) = (present.installed.digest.clone(), present.about.bytes);
                tracing::info!(environment = %name, digest, bytes, "an environment is installed");
                slot.present = Some(present);
                progress.say(InstallEvent::Installed { digest, bytes });
            }
            Err(Failed { code, message }) => {
                tracing::warn!(environment = %name, code, message, "an environment could not be installed");
                slot.broken = Some((code.to_owned(), message.clone()));
                progress.say(InstallEvent::Failed { code: code.into(), message });
            }
        }
    }

    /// The layers from the lowest on; those that are there are kept, unless they have changed and are to be repaired.
    async fn install_chain(
        &self,
        name: &EnvironmentName,
        progress: &Progress,
        repair: bool,
    ) -> Result<Present, Failed> {
        let broken = |message: String| Failed { code: "environment.recipe", message };
        let layers = layers(&self.kits, name).map_err(broken)?;
        let chain = self.kits.chain(name).map_err(broken)?;
        let (mut last, mut system) = (None, None);
        for (index, kit) in chain.iter().enumerate() {
            let target = layers[index].folder(self.root());
            let kept = !repair || self.differences(&layers[index], 1).await?.is_empty();
            let about = match About::read(&target).filter(|_| kept) {
                Some(about) => about,
                None => {
                    remove_tree(&target)?;
                    let about = About::describe(&chain[..=index], &layers[..=index]);
                    let mut about = about.ok_or_else(|| broken("the recipe describes no editor".into()))?;
                    about.system = system.take();
                    let below = layers[..index].to_vec();
                    let mut install = Install { tools: &self.tools, kit, below, progress, number: 0, of: 0 };
                    install.run(&target, about).await?
                }
            };
            system.clone_from(&about.system);
            if index + 1 < chain.len() {
                self.slots().entry(kit.name.clone()).or_default().present = present(about.clone(), self.root());
            }
            last = present(about, self.root());
        }
        last.ok_or_else(|| broken("the recipe is empty".into()))
    }

    /// The paths of a layer that are not as its install left them.
    async fn differences(&self, layer: &Layer, most: usize) -> std::io::Result<Vec<String>> {
        let then: Record = serde_json::from_slice(&std::fs::read(layer.folder(self.root()).join(RECORD))?)?;
        let now = install::record(layer.tree(self.root()), layer.image(self.root())).await?;
        Ok(then.differences(&now, most))
    }

    fn release(&self, name: &EnvironmentName) -> Result<(), Fault> {
        let mut slots = self.slots();
        let extends = |slot: &Slot| {
            let about = slot.present.as_ref().map(|present| &present.about);
            about.is_some_and(|about| about.layers.iter().any(|layer| layer.name == *name))
        };
        if let Some((above, _)) = slots.iter().find(|(other, slot)| *other != name && extends(slot)) {
            return Err(in_use(format!("{name} is part of {above}. Remove {above} first.")));
        }
        let Some(slot) = slots.get_mut(name) else { return Ok(()) };
        if slot.running.is_some() {
            return Err(in_use(format!("{name} is being installed. Wait until it is done.")));
        }
        if slot.is_used() {
            return Err(in_use(format!("Workspaces run on {name}, or wait for somebody. Stop them first.")));
        }
        *slot = Slot::default();
        Ok(())
    }
}

#[async_trait]
impl Environments for Catalogue {
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault> {
        self.kit(name)?;
        let slots = self.slots();
        let Some(slot) = slots.get(name) else { return Err(not_installed(name)) };
        match (&slot.present, &slot.running, &slot.broken) {
            (Some(present), ..) => Ok(Arc::clone(&present.installed)),
            (None, Some(progress), _) => Err(under_way(name, progress.state())),
            (None, None, Some((_, why))) => {
                let message = format!("The environment {name} could not be installed: {why}");
                Err(Fault::new(Kind::Unavailable, "environment.not_installed", message))
            }
            (None, None, None) => Err(not_installed(name)),
        }
    }

    fn ready(&self) -> Vec<Arc<InstalledEnvironment>> {
        let slots = self.slots();
        slots.values().filter_map(|slot| Some(Arc::clone(&slot.present.as_ref()?.installed))).collect()
    }

    fn list(&self) -> Vec<Listed> {
        let slots = self.slots();
        self.kits.known.values().map(|kit| self.listed(kit, slots.get(&kit.name))).collect()
    }

    fn unread(&self) -> Vec<Unread> {
        self.kits.unread.clone()
    }

    fn inspect(&self, name: &EnvironmentName) -> Result<Listed, Fault> {
        let kit = self.kit(name)?;
        Ok(self.listed(kit, self.slots().get(name)))
    }

    fn install(self: Arc<Self>, name: &EnvironmentName) -> Result<Option<broadcast::Receiver<InstallEvent>>, Fault> {
        self.kit(name)?;
        let mut slots = self.slots();
        let slot = slots.entry(name.clone()).or_default();
        if let Some(progress) = &slot.running {
            return Ok(Some(progress.watch()));
        }
        let whole = slot.present.as_ref().is_some_and(|present| !self.is_outdated(present));
        if whole && slot.broken.is_none() {
            return Ok(None);
        }
        let repair = slot.broken.as_ref().is_some_and(|(code, _)| code == CHANGED);
        if repair && slot.is_used() {
            return Err(in_use(format!("Workspaces run on {name}. Stop them, then it can be repaired.")));
        }
        let progress = Progress::new(self.clock.as_ref());
        let watch = progress.watch();
        slot.running = Some(Arc::clone(&progress));
        slot.broken = None;
        drop(slots);
        let (all, name) = (Arc::clone(&self), name.clone());
        tokio::spawn(async move { all.run(name, progress, repair).await });
        Ok(Some(watch))
    }

    fn watch(&self, name: &EnvironmentName) -> Option<broadcast::Receiver<InstallEvent>> {
        self.slots().get(name)?.running.as_ref().map(|progress| progress.watch())
    }

    async fn verify(&self, name: &EnvironmentName) -> Result<Vec<String>, Fault> {
        self.kit(name)?;
        let all = self.slots().get(name).and_then(|slot| Some(slot.present.as_ref()?.about.layers.clone()));
        let mut different = Vec::new();
        for layer in all.ok_or_else(|| not_installed(name))? {
            let found = self.differences(&layer, SHOWN - different.len()).await;
            let found = found.map_err(|error| Fault::internal(format!("reading {}: {error}", layer.name)))?;
            // What begins with a slash is the image's.
            let named = |path: String| format!("{}{}{path}", layer.name, if path.starts_with('/') { ":" } else { "/" });
            different.extend(found.into_iter().map(named));
        }
        if !different.is_empty() {
            let why = format!("{} of its files are not as they were installed. Install it again.", different.len());
            self.slots().entry(name.clone()).or_default().broken = Some((CHANGED.into(), why));
        }
        Ok(different)
    }

    async fn remove(&self, name: &EnvironmentName) -> Result<(), Fault> {
        self.kit(name)?;
        self.release(name)?;
        let folder = self.root().join(name.as_str());
        let removed = tokio::task::spawn_blocking(move || remove_tree(&folder)).await.map_err(std::io::Error::other);
        removed.and_then(|done| done).map_err(|error| Fault::internal(format!("removing {name} failed: {error}")))
    }

    fn page(&self, name: &EnvironmentName) -> Option<EditorPage> {
        let slots = self.slots();
        let about = &slots.get(name)?.present.as_ref()?.about;
        let (layer, editor) = (&about.editor_layer, &about.editor);
        let tree = layer.tree(self.root());
        let content = match (&editor.page, &editor.prerendered) {
            (Some(folder), _) => {
                PageContent::Vscode { folder: tree.join(folder), data: editor.data.clone().unwrap_or_default() }
            }
            (None, Some(page)) => PageContent::Prerendered {
                page: page.clone(),
                file: tree.join(&page.file),
                files: editor.files.iter().map(|(start, folder)| (start.clone(), tree.join(folder))).collect(),
            },
            (None, None) => return None,
        };
        Some(EditorPage { digest: layer.digest.clone(), content })
    }

    fn static_files(&self, digest: &str) -> Option<PathBuf> {
        let slots = self.slots();
        let mut abouts = slots.values().filter_map(|slot| Some(&slot.present.as_ref()?.about));
        let about = abouts.find(|about| about.editor_layer.digest == digest)?;
        Some(about.editor_layer.tree(self.root()).join(about.editor.page.as_ref()?))
    }
}

fn under_way(name: &EnvironmentName, state: InstallState) -> Fault {
    let message =
        format!("The environment {name} is being installed ({} of {}). It opens by itself.", state.number, state.of);
    let fault = Fault::new(Kind::Unavailable, "environment.not_installed", message);
    fault.with("phase", state.phase).with("number", state.number).with("of", state.of).retry_after(5)
}

fn not_installed(name: &EnvironmentName) -> Fault {
    let message =
        format!("The environment {name} is not installed. An operator installs it: darter env install {name}.");
    Fault::new(Kind::Unavailable, "environment.not_installed", message)
}

fn in_use(message: String) -> Fault {
    Fault::new(Kind::Conflict, "environment.in_use", message)
}

fn present(about: About, environments: &Path) -> Option<Present> {
    Some(Present { installed: Arc::new(about.installed(environments)?), about })
}

/// The layers of an environment as their recipes are now.
fn layers(kits: &Kits, name: &EnvironmentName) -> Result<Vec<Layer>, String> {
    let mut layers: Vec<Layer> = Vec::new();
    for kit in kits.chain(name)? {
        let digest = kit.digest(layers.last().map(|layer| layer.digest.as_str()));
        layers.push(Layer { name: kit.name.clone(), digest });
    }
    Ok(layers)
}

/// Removes what nothing refers to any more. Only while nothing runs.
fn sweep(environments: &Path, slots: &BTreeMap<EnvironmentName, Slot>) -> std::io::Result<()> {
    let used: Vec<&Layer> =
        slots.values().filter_map(|slot| slot.present.as_ref()).flat_map(|present| &present.about.layers).collect();
    for name in slots.keys() {
        for (digest, path) in disk::digests(environments, name)? {
            if !used.iter().any(|layer| layer.name == *name && layer.digest == digest) {
                tracing::info!(environment = %name, digest, "removing an install that a newer one has replaced");
                remove_tree(&path)?;
            }
        }
    }
    Ok(())
}
