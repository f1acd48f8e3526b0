//! `environment.toml`: what an environment is made of and how its editor starts. Written by us and by operators, who
//! are trusted; still every path is checked, so that a slip of the pen cannot write outside its own folder.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use darter_core::workspace::EnvironmentName;
use serde::{Deserialize, Serialize};

use super::contract::EditorKind;
use super::image::Origin;
use super::language::{self, LanguageServer};
use crate::local::runtime::Download;

/// A recipe as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub title: String,
    pub description: String,
    /// The same in other languages, by their code: `zh`.
    #[serde(default)]
    pub translations: BTreeMap<String, Words>,
    /// The environment that this one adds to. Its files are at `/env/<its name>`; its editor is ours unless we have one.
    pub extends: Option<EnvironmentName>,
    /// An OCI image: its root file system takes the place of this machine's `/usr`, `/etc` … in workspaces.
    pub image: Option<Origin>,
    /// What this machine must have: a program on its PATH, or an absolute path → the Debian package that brings it.
    #[serde(default)]
    pub host: BTreeMap<String, String>,
    /// Archives of the npm registry.
    #[serde(default)]
    pub download: BTreeMap<String, Download>,
    /// A file or folder beside the recipe → its place in the environment.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    #[serde(default)]
    pub patch: Vec<Patch>,
    #[serde(default)]
    pub npm: Vec<Npm>,
    #[serde(default)]
    pub pip: Vec<Pip>,
    #[serde(default)]
    pub step: Vec<Step>,
    /// What is not needed: patterns of bash (`**` is any depth) below the environment.
    #[serde(default)]
    pub trim: Vec<String>,
    /// Runs last, without a network: compiles ahead, precompresses.
    #[serde(default)]
    pub warm: Vec<Step>,
    pub editor: Option<Editor>,
    /// Folders that come first on the PATH inside, absolute.
    #[serde(default)]
    pub path: Vec<String>,
    /// Of every program inside.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What light editors may start, by name.
    #[serde(default, rename = "language-server")]
    pub language_servers: BTreeMap<String, LanguageServer>,
    #[serde(default)]
    pub memory: Memory,
}

/// A title and a description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub title: String,
    pub description: String,
}

/// A change of a downloaded file. It must fit exactly, or the install fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    pub file: String,
    pub find: String,
    pub replace: String,
    /// How often `find` must be there.
    #[serde(default = "once")]
    pub times: usize,
    /// Why, for who reads the error when a new version does not fit.
    pub why: String,
}

fn once() -> usize {
    1
}

/// Packages of npm, exactly those of the lockfile. Their scripts do not run, but for those named in `scripts`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npm {
    /// Folder beside the recipe that holds `package.json` and `package-lock.json`.
    pub lock: String,
    /// Folder of the environment in which `node_modules` comes to be.
    pub into: String,
    /// Packages whose install scripts run (native code).
    #[serde(default)]
    pub scripts: Vec<String>,
    /// Variables of npm and of those scripts.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// Packages of Python's index, exactly those whose hashes are listed, wheels only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pip {
    /// File beside the recipe: `name==version --hash=…` lines.
    pub requirements: String,
    /// Folder of the environment: a virtual environment of the host's Python, made when it is missing.
    pub into: String,
}

/// A command in the build sandbox, in the environment's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub title: String,
    pub argv: Vec<String>,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Whether it may reach the registries.
    #[serde(default)]
    pub network: bool,
    /// What it does costs only speed when it fails.
    #[serde(default)]
    pub optional: bool,
}

/// How the editor starts inside. It gets its listening socket as a descriptor, never a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Editor {
    pub kind: EditorKind,
    pub argv: Vec<String>,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default = "descriptor")]
    pub descriptor: i32,
    /// A line of its output that says it answers.
    pub ready: Option<String>,
    /// A request that answers 200 once it does, and counts as nobody's activity.
    pub health: String,
    /// A program that ends well where the editor can run: tried at the install of what puts it on an image.
    #[serde(default)]
    pub probe: Vec<String>,
    /// It can be started before it is known whose it is: it waits for one line of JSON on its standard input.
    #[serde(default)]
    pub warm: bool,
    /// Its pages' root in the environment (VS Code's folder), for the static files.
    pub page: Option<String>,
    /// A page of it that the install has kept, so that opening it waits for nothing inside.
    pub prerendered: Option<Prerendered>,
    /// Start of an address's path → folder of the environment with the files that it names.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Where it keeps its own data in the home.
    pub data: Option<String>,
}

/// A page that is the same for everybody, until somebody changes their own copy of the editor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerendered {
    /// The path of its address. `/` leads there.
    pub at: String,
    /// Where the install left it in the environment.
    pub file: String,
    /// Paths inside: when one of them exists, the editor's own server answers.
    #[serde(default)]
    pub unless: Vec<String>,
}

fn descriptor() -> i32 {
    5
}

/// What a workspace of it takes, for planning; limits are the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// MiB, started and nobody there.
    pub idle: u32,
    /// MiB, in use.
    pub open: u32,
    /// MiB of the limit that a new workspace gets unless its owner says otherwise.
    pub usual: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { idle: 50, open: 300, usual: 2_048 }
    }
}

impl Recipe {
    /// Reads and checks a recipe.
    pub fn parse(text: &str) -> Result<Self, String> {
        let recipe: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            format!("environment.toml, line {line}: {}", error.message().replace('\n', "; "))
        })?;
        recipe.check().map(|()| recipe)
    }

    fn check(&self) -> Result<(), String> {
        let inside = self.files.values().chain(self.patch.iter().map(|patch| &patch.file));
        let inside = inside.chain(self.npm.iter().map(|npm| &npm.into)).chain(self.pip.iter().map(|pip| &pip.into));
        let inside = inside.chain(self.download.values().flat_map(|download| download.files.values()));
        let pages = self.editor.iter().flat_map(|editor| editor.prerendered.iter().map(|page| &page.file));
        let inside = inside.chain(pages).chain(self.editor.iter().flat_map(|editor| editor.files.values()));
        let beside = self.files.keys().chain(self.npm.iter().map(|npm| &npm.lock));
        let beside = beside.chain(self.pip.iter().map(|pip| &pip.requirements));
        if let Some(bad) = inside.chain(beside).chain(&self.trim).find(|path| !is_plain(path)) {
            return Err(format!("environment.toml: {bad:?} must be a path below its folder, without `..`"));
        }
        if self.extends.is_none() && self.editor.is_none() {
            return Err("environment.toml: say `extends = …` or describe an [editor]".into());
        }
        if let Some(image) = &self.image {
            image.check().map_err(|why| format!("environment.toml: [image]: {why}"))?;
        }
        let steps = self.step.iter().chain(&self.warm).map(|step| &step.argv);
        let programs = steps.chain(self.editor.iter().map(|editor| &editor.argv));
        let probes = self.editor.iter().map(|editor| &editor.probe).filter(|probe| !probe.is_empty());
        let programs = programs.chain(probes);
        let programs = programs.chain(self.language_servers.values().map(|server| &server.argv));
        for argv in programs {
            if argv.first().is_none_or(|program| !program.starts_with('/')) {
                return Err(format!("environment.toml: {argv:?} must begin with the absolute path of a program"));
            }
        }
        language::check(&self.language_servers).map_err(|why| format!("environment.toml: {why}"))
    }
}

/// A relative path that leads down only.
pub fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "title = \"T\"\ndescription = \"D\"\nextends = \"vscode\"\n";

    #[test]
    fn a_small_recipe_is_enough() {
        let recipe = Recipe::parse(SMALL).unwrap();
        assert_eq!(recipe.extends.unwrap().as_str(), "vscode");
        assert_eq!(recipe.memory.usual, 2_048);
    }

    #[test]
    fn what_leads_out_or_means_nothing_is_refused() {
        for (bad, part) in [
            ("[files]\n\"../x\" = \"x\"", "../x"),
            ("[files]\nx = \"/etc/x\"", "/etc/x"),
            ("trim = [\"../*\"]", "../*"),
            ("[[step]]\ntitle = \"t\"\nargv = [\"sh\"]", "absolute"),
            ("[[step]]\ntitle = \"t\"\nargv = []", "absolute"),
            ("unknown = 1", "unknown"),
            ("[language-server.x]\ntitle = \"X\"\nlanguages = [\"x\"]\nargv = [\"x\"]", "absolute"),
            ("[language-server.x]\ntitle = \"X\"\nargv = [\"/x\"]", "languages"),
            ("[language-server.x]\ntitle = \"X\"\nlanguages = [\"x\"]\nargv = [\"/x\"]\nshell = true", "shell"),
            ("[language-server.\"a b\"]\ntitle = \"X\"\nlanguages = [\"x\"]\nargv = [\"/x\"]", "a b"),
            ("[image]", "layout"),
            ("[image]\nlayout = \"../x\"", "absolute"),
            ("[image]\nlayout = \"x\"\nreference = \"example.org/x\"", "layout"),
            ("[image]\nreference = \"example.org/x:1\"", "digest"),
            ("[image]\nreference = \"Example Org\"", "reference"),
            ("[image]\nlayout = \"x\"\ninsecure = true", "insecure"),
            ("[image]\nlayout = \"x\"\nmib = 0", "mib"),
        ] {
            let text = format!("{SMALL}{bad}\n");
            let error = Recipe::parse(&text).unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
        }
        assert!(Recipe::parse("title = \"T\"\ndescription = \"D\"\n").unwrap_err().contains("extends"));
    }
}
