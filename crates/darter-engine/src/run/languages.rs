//! All languages by name: those shipped inside this program, and the operator's own in `<data>/languages`, which take the
//! place of shipped ones of the same name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use darter_core::Fault;
use darter_core::run::LanguageName;
use rust_embed::RustEmbed;

use super::recipe::Recipe;
use crate::local::runtime::digest;

/// The recipes as shipped. In a debug build they are read from the checkout.
#[derive(RustEmbed)]
#[folder = "../../languages"]
struct Shipped;

const RECIPE: &str = "language.toml";

/// A language and its recipe.
#[derive(Debug, Clone)]
pub struct Language {
    pub name: LanguageName,
    pub recipe: Recipe,
    /// Of an interpreter that waits: the program that it waits with.
    pub waiting: Option<Vec<u8>>,
    /// Of the recipe's text: what was compiled by another one is not used.
    pub digest: String,
}

impl Language {
    fn new(name: &str, text: &str, beside: impl FnOnce(&str) -> Option<Vec<u8>>) -> Result<Self, String> {
        let name: LanguageName = name.parse().map_err(|fault: Fault| fault.message)?;
        let recipe = Recipe::parse(text)?;
        let file = recipe.wait.as_ref().map(|wait| wait.program.as_str());
        let waiting = file.map(|file| beside(file).ok_or_else(|| format!("there is no {file} beside {RECIPE}")));
        Ok(Self { name, recipe, waiting: waiting.transpose()?, digest: digest([text.as_bytes()]) })
    }

    /// The Debian packages that this machine lacks for it.
    pub fn lacks(&self) -> Vec<&str> {
        let missing = self.recipe.host.iter().filter(|(path, _)| !Path::new(path).exists());
        missing.map(|(_, package)| package.as_str()).collect()
    }
}

/// The languages of this machine.
#[derive(Debug, Default)]
pub struct Languages(BTreeMap<LanguageName, Arc<Language>>);

impl Languages {
    /// The shipped ones and the operator's. One that cannot be read is told of in the log.
    pub fn load(own: &Path) -> Self {
        let mut all = Self::default();
        let shipped = |path: &str| Shipped::get(path).map(|file| file.data.into_owned());
        for path in Shipped::iter() {
            if let (Some((name, RECIPE)), Some(text)) = (path.split_once('/'), shipped(&path)) {
                all.add(name, &String::from_utf8_lossy(&text), |file| shipped(&format!("{name}/{file}")));
            }
        }
        for entry in fs::read_dir(own).into_iter().flatten().flatten() {
            if let Ok(text) = fs::read_to_string(entry.path().join(RECIPE)) {
                all.add(&entry.file_name().to_string_lossy(), &text, |file| fs::read(entry.path().join(file)).ok());
            }
        }
        all
    }

    fn add(&mut self, name: &str, text: &str, beside: impl FnOnce(&str) -> Option<Vec<u8>>) {
        match Language::new(name, text, beside) {
            Ok(language) => drop(self.0.insert(language.name.clone(), Arc::new(language))),
            Err(why) => {
                tracing::warn!(language = name, %why, "a language cannot be used; correct its recipe and start again")
            }
        }
    }

    /// By name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Language>> {
        self.0.values()
    }

    /// The one that somebody means: a name, another word for it, or a file's ending.
    pub fn find(&self, word: &str) -> Result<&Arc<Language>, Fault> {
        let word = word.trim().to_lowercase();
        let meant = |language: &&Arc<Language>| {
            let words = language.recipe.aliases.iter().chain(&language.recipe.endings);
            language.name.as_str() == word || words.into_iter().any(|one| *one == word)
        };
        self.0.values().find(meant).ok_or_else(|| {
            let names: Vec<&str> = self.0.keys().map(LanguageName::as_str).collect();
            let message = format!("There is no such language here. Choose one of {}.", names.join(", "));
            Fault::invalid("language.unknown", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_languages_can_be_read_and_no_two_share_a_word() {
        let all = Languages::load(Path::new("/nonexistent"));
        let folders = Shipped::iter().filter(|path| path.ends_with(RECIPE)).count();
        assert!(folders > 5);
        assert_eq!(all.all().count(), folders, "one of them cannot be read");
        let mut whose = BTreeMap::new();
        for one in all.all() {
            let own = [one.name.to_string()];
            for word in own.iter().chain(&one.recipe.aliases).chain(&one.recipe.endings) {
                let other = whose.insert(word.clone(), one.name.clone());
                assert!(other.is_none_or(|other| other == one.name), "{word} is {} and another", one.name);
            }
        }
    }

    #[test]
    fn a_language_is_found_by_the_words_that_people_have_for_it() {
        let all = Languages::load(Path::new("/nonexistent"));
        for (word, name) in
            [("python", "python"), (" Py ", "python"), ("c++", "cpp"), ("cc", "cpp"), ("js", "javascript")]
        {
            assert_eq!(all.find(word).unwrap().name.as_str(), name);
        }
        let fault = all.find("klingon").unwrap_err();
        assert_eq!(fault.code, "language.unknown");
        assert!(fault.message.contains("python"));
    }
}
