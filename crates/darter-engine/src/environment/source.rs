//! Where recipes come from: those shipped inside this program, and the operator's own in `<data>/recipes`.
//!
//! An operator's recipe of a shipped one's name takes its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use darter_core::workspace::EnvironmentName;
use rust_embed::RustEmbed;

use super::image::{Digest, Origin};
use super::recipe::{Recipe, is_plain};
use crate::local::runtime::digest;

/// The recipes as shipped. In a debug build they are read from the checkout.
#[derive(RustEmbed)]
#[folder = "../../environments"]
#[exclude = "*/test/*"]
struct Shipped;

const RECIPE: &str = "environment.toml";
/// Largest file beside a recipe.
const LARGEST: u64 = 32 << 20;
const MOST_FILES: usize = 5_000;

/// A recipe with what lies beside it.
#[derive(Debug, Clone)]
pub struct Kit {
    pub name: EnvironmentName,
    pub recipe: Recipe,
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether it came with this program.
    pub shipped: bool,
    /// Where an operator's own lies.
    pub folder: PathBuf,
    /// The manifest that its layout of an image held when the recipe was read.
    pub manifest: Option<Digest>,
}

impl Kit {
    fn new(name: EnvironmentName, mut files: BTreeMap<String, Vec<u8>>, folder: PathBuf) -> Result<Self, String> {
        let shipped = folder.as_os_str().is_empty();
        let at = place(&folder);
        let text = files.get(RECIPE).ok_or_else(|| format!("{at}/{name} has no {RECIPE}"))?;
        let text = std::str::from_utf8(text).map_err(|_| format!("{at}/{name}/{RECIPE} is not UTF-8"))?;
        let recipe = Recipe::parse(text).map_err(|why| format!("{at}/{name}/{why}"))?;
        if !shipped {
            files.extend(beside(&folder, recipe.image.as_ref().and_then(Origin::beside))?);
        }
        // What is wrong with it is said when it is installed.
        let manifest = recipe.image.as_ref().and_then(|image| image.manifest(&folder).ok());
        Ok(Self { name, recipe, files, shipped, folder, manifest })
    }

    /// Names what is installed from it, on top of what it extends.
    pub fn digest(&self, below: Option<&str>) -> String {
        let own = self.files.iter().flat_map(|(path, content)| [path.as_bytes(), content.as_slice()]);
        let first = [std::env::consts::ARCH.as_bytes(), below.unwrap_or_default().as_bytes()];
        digest(first.into_iter().chain(own).chain(self.manifest.iter().map(Digest::as_bytes)))
    }

    /// The files at or below `path`, with what follows it.
    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.files.iter().filter_map(move |(name, content)| {
            let rest = name.strip_prefix(path)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((rest.trim_start_matches('/'), content.as_slice()))
        })
    }
}

/// The folder of recipes, as people know it: an operator's own are in the data directory.
fn place(folder: &Path) -> &'static str {
    if folder.as_os_str().is_empty() { "environments" } else { "recipes" }
}

/// All kits by name, and what is wrong with those that cannot be used.
#[derive(Debug, Default, Clone)]
pub struct Kits {
    pub known: BTreeMap<EnvironmentName, Kit>,
    pub unread: Vec<Unread>,
}

/// An operator's recipe that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its folder in `recipes`, which may be no name of an environment.
    pub folder: String,
    pub why: String,
}

impl Kits {
    /// The shipped ones and the operator's.
    pub fn load(recipes: &Path) -> Self {
        let mut kits = Self::default();
        let mut shipped: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for path in Shipped::iter() {
            if let (Some((name, rest)), Some(file)) = (path.split_once('/'), Shipped::get(&path)) {
                shipped.entry(name.to_owned()).or_default().insert(rest.to_owned(), file.data.into_owned());
            }
        }
        for (name, files) in shipped {
            kits.add(&name, Ok(files), PathBuf::new());
        }
        let own = fs::read_dir(recipes).into_iter().flatten().flatten();
        for entry in own.filter(|entry| entry.path().is_dir()) {
            let recipe = fs::read(entry.path().join(RECIPE)).map_err(|error| format!("{RECIPE}: {error}"));
            let files = recipe.map(|text| [(RECIPE.to_owned(), text)].into());
            kits.add(&entry.file_name().to_string_lossy(), files, entry.path());
        }
        kits
    }

    /// Of an operator's own the recipe alone is given: it says what else is read.
    fn add(&mut self, name: &str, files: Result<BTreeMap<String, Vec<u8>>, String>, folder: PathBuf) {
        let kit = name
            .parse::<EnvironmentName>()
            .map_err(|fault| format!("{}/{name}: {}", place(&folder), fault.message))
            .and_then(|name| Kit::new(name, files?, folder));
        match kit {
            Ok(kit) => drop(self.known.insert(kit.name.clone(), kit)),
            Err(why) => {
                tracing::warn!(%why, "a recipe cannot be used; correct it and start again");
                self.unread.push(Unread { folder: name.to_owned(), why });
            }
        }
    }

    /// The kit and what it extends, the lowest first. The error is in words.
    pub fn chain(&self, name: &EnvironmentName) -> Result<Vec<&Kit>, String> {
        let mut chain: Vec<&Kit> = Vec::new();
        let mut next = Some(name);
        while let Some(name) = next {
            let kit = self.known.get(name).ok_or_else(|| format!("there is no recipe {name}"))?;
            if chain.iter().any(|seen| seen.name == kit.name) {
                return Err(format!("the recipe {name} extends itself"));
            }
            chain.insert(0, kit);
            next = kit.recipe.extends.as_ref();
        }
        Ok(chain)
    }
}

/// The files of an operator's recipe, but for the layout of its image. Links are not followed: what they lead to would not
/// be part of its digest.
fn beside(folder: &Path, layout: Option<&str>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        let at = folder.join(&below);
        let entries = fs::read_dir(&at).map_err(|error| format!("{}: {error}", at.display()))?;
        for entry in entries {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = entry.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let meta = entry.metadata().map_err(|error| format!("{path}: {error}"))?;
            if layout.is_some_and(|layout| Path::new(layout) == Path::new(&path)) {
                continue;
            }
            if meta.is_dir() {
                waiting.push(path);
            } else if meta.is_file() && is_plain(&path) {
                if meta.len() > LARGEST || files.len() == MOST_FILES {
                    return Err(format!("{path}: a recipe has at most {MOST_FILES} files of {} MiB", LARGEST >> 20));
                }
                files.insert(path, fs::read(entry.path()).map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(recipes: &Path, name: &str, text: &str) {
        fs::create_dir_all(recipes.join(name).join("sub")).unwrap();
        fs::write(recipes.join(name).join(RECIPE), text).unwrap();
        fs::write(recipes.join(name).join("sub/file"), "x").unwrap();
    }

    #[test]
    fn the_shipped_recipes_can_be_read_and_what_they_extend_is_there() {
        let kits = Kits::load(Path::new("/nowhere"));
        assert_eq!(kits.unread, []);
        for name in kits.known.keys() {
            let chain = kits.chain(name).unwrap();
            assert!(chain.iter().any(|kit| kit.recipe.editor.is_some()), "{name}");
        }
        for name in ["vscode", "jupyter", "go", "java"] {
            assert!(kits.known.contains_key(&name.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn an_operators_recipe_takes_the_place_of_a_shipped_one() {
        let host = tempfile::tempdir().unwrap();
        write(host.path(), "vscode", "title = \"Ours\"\ndescription = \"D\"\nextends = \"jupyter\"\n");
        write(host.path(), "bad", "title = 1");
        write(host.path(), "Bad-Name", "");
        let kits = Kits::load(host.path());
        let kit = &kits.known[&"vscode".parse().unwrap()];
        assert_eq!((kit.recipe.title.as_str(), kit.shipped), ("Ours", false));
        assert_eq!(kit.below("sub").collect::<Vec<_>>(), [("file", &b"x"[..])]);
        let bad = kits.unread.iter().find(|unread| unread.folder == "bad").unwrap();
        assert!(bad.why.starts_with("recipes/bad/environment.toml, line 1: "), "{}", bad.why);
        assert!(!bad.why.contains('\n'), "{}", bad.why);
        let mut unread: Vec<&str> = kits.unread.iter().map(|unread| unread.folder.as_str()).collect();
        unread.sort_unstable();
        assert_eq!(unread, ["Bad-Name", "bad"]);
    }

    #[test]
    fn a_circle_ends_in_words() {
        let host = tempfile::tempdir().unwrap();
        for (name, other) in [("a", "b"), ("b", "a")] {
            write(host.path(), name, &format!("title = \"T\"\ndescription = \"D\"\nextends = \"{other}\"\n"));
        }
        let kits = Kits::load(host.path());
        assert!(kits.chain(&"a".parse().unwrap()).unwrap_err().contains("extends itself"));
        assert!(kits.chain(&"gone".parse().unwrap()).unwrap_err().contains("no recipe gone"));
    }

    #[test]
    fn a_change_below_changes_the_digest_above() {
        let host = tempfile::tempdir().unwrap();
        write(host.path(), "a", "title = \"T\"\ndescription = \"D\"\nextends = \"vscode\"\n");
        let kits = Kits::load(host.path());
        let kit = &kits.known[&"a".parse().unwrap()];
        assert_ne!(kit.digest(Some("1")), kit.digest(Some("2")));
        assert_eq!(kit.digest(Some("1")).len(), 32);
    }
}
