//! Installed environments on disk: `<environments>/<name>/<digest>/`, and what is read of them at a start.
//!
//! ```text
//! installed.json   what it is: written last of all, with it the folder is whole
//! hashes.json      its own files as the install left them
//! env/<name>/      its own files
//! image/           the image that it stands on, unpacked
//! env/<other>/     those of what it extends: hard links, no second copy
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use darter_core::workspace::EnvironmentName;
use serde::{Deserialize, Serialize};

use super::contract::InstalledEnvironment;
use super::image::System;
use super::language::LanguageServer;
use super::recipe::{Editor, Memory};
use super::source::Kit;

/// What sandboxes see at `/env`.
pub const ROOT: &str = "env";
/// What sandboxes see at `/usr`, `/etc` … when it is there.
pub const IMAGE: &str = "image";
pub const ABOUT: &str = "installed.json";
pub const RECORD: &str = "hashes.json";

/// One of the environments that make one up: its files are at `/env/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub name: EnvironmentName,
    pub digest: String,
}

impl Layer {
    pub fn folder(&self, environments: &Path) -> PathBuf {
        environments.join(self.name.as_str()).join(&self.digest)
    }

    /// Its own files, in its own folder.
    pub fn tree(&self, environments: &Path) -> PathBuf {
        self.folder(environments).join(ROOT).join(self.name.as_str())
    }

    /// The image that it brought, unpacked.
    pub fn image(&self, environments: &Path) -> PathBuf {
        self.folder(environments).join(IMAGE)
    }
}

/// `installed.json`: all that is known without the recipe, so that an older install works after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The lowest first; the last is the environment itself.
    pub layers: Vec<Layer>,
    pub editor: Editor,
    /// The layer whose recipe describes the editor: its digest names the static files.
    pub editor_layer: Layer,
    pub path: Vec<String>,
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub language_servers: BTreeMap<String, LanguageServer>,
    pub memory: Memory,
    /// The image that it stands on, its own or one that it extends; absent: this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<System>,
    /// Of its own layer.
    pub bytes: u64,
    pub files: u64,
}

impl About {
    /// What inherits from what it extends: lists are joined, ours first; of two values ours counts. `None`: no recipe
    /// describes an editor.
    pub fn describe(chain: &[&Kit], layers: &[Layer]) -> Option<Self> {
        let mut from_the_top = chain.iter().zip(layers).rev();
        let (editor, editor_layer) =
            from_the_top.find_map(|(kit, layer)| Some((kit.recipe.editor.clone()?, layer.clone())))?;
        let mut about = Self {
            layers: layers.to_vec(),
            editor,
            editor_layer,
            path: Vec::new(),
            variables: BTreeMap::new(),
            language_servers: BTreeMap::new(),
            memory: chain.last()?.recipe.memory,
            system: None,
            bytes: 0,
            files: 0,
        };
        for kit in chain {
            about.path.splice(0..0, kit.recipe.path.iter().cloned());
            about.variables.extend(kit.recipe.variables.clone());
            about.language_servers.extend(kit.recipe.language_servers.clone());
        }
        Some(about)
    }

    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(ABOUT)).ok()?).ok()
    }

    /// As the engine takes it. Every program inside gets the variables, PATH and the editor's own included.
    pub fn installed(&self, environments: &Path) -> Option<InstalledEnvironment> {
        let own = self.layers.last()?;
        let image = self.system.as_ref();
        let mut variables = image.map(|system| system.variables.clone()).unwrap_or_default();
        variables.extend(image.map(|system| ("SHELL".to_owned(), system.shell.clone())));
        let usual = ["/usr/local/bin", "/usr/bin", "/bin"].map(str::to_owned);
        let theirs = image.map(|system| system.path.clone()).filter(|path| !path.is_empty());
        let path =
            self.path.iter().cloned().chain(theirs.unwrap_or_else(|| usual.into())).collect::<Vec<_>>().join(":");
        variables.extend(self.variables.clone());
        variables.extend(self.editor.variables.clone());
        variables.insert("PATH".into(), path);
        Some(InstalledEnvironment {
            name: own.name.clone(),
            digest: own.digest.clone(),
            root: own.folder(environments).join(ROOT),
            system: image.map(|system| system.layer.image(environments)),
            kind: self.editor.kind,
            argv: self.editor.argv.clone(),
            env: variables.into_iter().collect(),
            descriptor: Some(self.editor.descriptor),
            ready: self.editor.ready.clone(),
            warm: self.editor.warm,
            language_servers: self.language_servers.clone(),
            memory_hint: u64::from(self.memory.idle) << 20,
        })
    }
}

/// All digests of an environment that are on disk, whole or not.
pub fn digests(environments: &Path, name: &EnvironmentName) -> io::Result<Vec<(String, PathBuf)>> {
    let found = match fs::read_dir(environments.join(name.as_str())) {
        Ok(found) => found.collect::<Result<Vec<_>, _>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(found.into_iter().filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect())
}

/// The install that is wanted, or else the newest one.
pub fn newest(environments: &Path, name: &EnvironmentName, wanted: Option<&Layer>) -> io::Result<Option<About>> {
    let mut whole = Vec::new();
    for (digest, path) in digests(environments, name)? {
        if let Some(about) = About::read(&path) {
            let is_wanted = wanted.is_some_and(|layer| layer.digest == digest);
            whole.push((is_wanted, fs::metadata(&path)?.modified()?, about));
        }
    }
    let best = whole.into_iter().max_by_key(|(is_wanted, when, _)| (*is_wanted, *when));
    Ok(best.map(|(_, _, about)| about))
}

/// Shows a tree of another environment in a second place, as hard links. A folder's links lead where they led.
pub fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        for entry in fs::read_dir(from.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                fs::create_dir(to.join(&path))?;
                waiting.push(path);
            } else {
                // The link itself, never what it leads to.
                fs::hard_link(entry.path(), to.join(&path))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linked_tree_is_the_same_files_and_links_stay_links() {
        use std::os::unix::fs::MetadataExt;
        let host = tempfile::tempdir().unwrap();
        let (from, to) = (host.path().join("from"), host.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink("/nowhere", from.join("link")).unwrap();
        link_tree(&from, &to).unwrap();
        let inode = |path: &Path| fs::symlink_metadata(path).unwrap().ino();
        assert_eq!(inode(&from.join("a/b/file")), inode(&to.join("a/b/file")));
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nowhere"));
    }

    #[test]
    fn the_wanted_install_is_taken_before_a_newer_one_and_a_half_one_never() {
        let host = tempfile::tempdir().unwrap();
        let name: EnvironmentName = "vscode".parse().unwrap();
        let kits = super::super::source::Kits::load(Path::new("/nowhere"));
        let chain = kits.chain(&name).unwrap();
        let write = |digest: &str| {
            let layer = Layer { name: name.clone(), digest: digest.into() };
            let about = About::describe(&chain, std::slice::from_ref(&layer)).unwrap();
            fs::create_dir_all(layer.tree(host.path())).unwrap();
            fs::write(layer.folder(host.path()).join(ABOUT), serde_json::to_vec(&about).unwrap()).unwrap();
            layer
        };
        let old = write("old");
        write("new");
        fs::create_dir_all(host.path().join("vscode/half/env")).unwrap();
        let best = |wanted| newest(host.path(), &name, wanted).unwrap().unwrap().layers[0].digest.clone();
        assert_eq!(best(Some(&old)), "old");
        assert_ne!(best(None), "half");
        let installed = newest(host.path(), &name, Some(&old)).unwrap().unwrap().installed(host.path()).unwrap();
        assert_eq!(installed.root, host.path().join("vscode/old/env"));
        assert!(installed.env.iter().any(|(name, value)| name == "PATH" && value.starts_with("/env/vscode/bin:")));
        assert!(installed.language_servers["typescript"].argv[0].starts_with("/env/vscode/"));
    }

    #[test]
    fn language_servers_are_inherited_and_replaced_by_name_and_an_older_install_has_none() {
        let host = tempfile::tempdir().unwrap();
        let own = |name: &str, title: &str| {
            format!("[language-server.{name}]\ntitle = \"{title}\"\nlanguages = [\"x\"]\nargv = [\"/env/own/x\"]\n")
        };
        let recipe = "title = \"T\"\ndescription = \"D\"\nextends = \"vscode\"\n";
        fs::create_dir(host.path().join("own")).unwrap();
        let text = format!("{recipe}{}{}", own("python", "Ours"), own("ruby", "Ruby"));
        fs::write(host.path().join("own/environment.toml"), text).unwrap();
        let kits = super::super::source::Kits::load(host.path());
        let chain = kits.chain(&"own".parse().unwrap()).unwrap();
        let layers = ["vscode", "own"].map(|name| Layer { name: name.parse().unwrap(), digest: "1".into() });
        let about = About::describe(&chain, &layers).unwrap();
        let title = |name: &str| about.language_servers[name].title.as_str();
        assert_eq!([title("python"), title("ruby"), title("clangd")], ["Ours", "Ruby", "C/C++"]);
        let mut written = serde_json::to_value(&about).unwrap();
        written.as_object_mut().unwrap().remove("language_servers");
        assert!(serde_json::from_value::<About>(written).unwrap().language_servers.is_empty());
    }
}
