//! `language.toml`: how programs of a language are compiled and started. Written by us and by operators, who are trusted;
//! no word of a tenant's ever becomes a part of a command, only an argument or a file.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Deserializer};

/// A recipe as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub title: String,
    /// Other words that people have for it: `py`, `c++`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Endings of its files, the usual one first.
    pub endings: Vec<String>,
    /// What a source without a name is called.
    pub file: String,
    /// A first program, which says hello.
    pub hello: String,
    /// A command that says which version it is.
    pub version: Vec<String>,
    /// Path of a program or file on this machine → the Debian package that brings it.
    #[serde(default)]
    pub host: BTreeMap<String, String>,
    /// Whether it is started with the node that came with the server, at `/runtime`.
    #[serde(default)]
    pub node: bool,
    pub compile: Option<Compile>,
    /// How the program starts. `{main}` is the file that was given first.
    pub run: Vec<String>,
    /// How its interpreter waits, started, for a program to come.
    pub wait: Option<Wait>,
    /// Of the compiler and the program.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Where an error happened, in what was written to standard error.
    pub error: Option<ErrorPlace>,
    /// Bytes that the language itself needs; runs never get less memory.
    #[serde(default)]
    pub memory_least: u64,
}

/// How a program is compiled. It may not be needed: an interpreter reads the source itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compile {
    /// `{main}` is the file that was given first, `{files}` all files with an ending of the language's.
    pub argv: Vec<String>,
    /// What the program needs of what was made: patterns of the shell.
    pub keep: Vec<String>,
}

/// An interpreter that is started before it is known for what. Its own program reads the person's from descriptor 5: one
/// line of JSON (`argv`), then the files as an archive.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    pub argv: Vec<String>,
    /// The file beside the recipe that it starts with.
    pub program: String,
}

/// A pattern with a group `line`, and perhaps one `file`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorPlace {
    #[serde(deserialize_with = "pattern")]
    pub pattern: Regex,
    /// The last one counts: a trace that ends where the error is. The first one otherwise.
    #[serde(default)]
    pub last: bool,
}

fn pattern<'de, D: Deserializer<'de>>(from: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(from)?;
    let pattern = Regex::new(&text).map_err(serde::de::Error::custom)?;
    let has_line = pattern.capture_names().flatten().any(|name| name == "line");
    has_line.then_some(pattern).ok_or_else(|| serde::de::Error::custom("the pattern has no group `line`"))
}

impl ErrorPlace {
    /// The line in the program's own file that an error names.
    pub fn find(&self, text: &str, file: &str) -> Option<u32> {
        let lines = self.pattern.captures_iter(text).filter_map(|found| {
            let own = found.name("file").is_none_or(|name| name.as_str().trim_start_matches("./").ends_with(file));
            own.then(|| found["line"].parse().ok()).flatten()
        });
        if self.last { lines.last() } else { lines.into_iter().next() }
    }
}

impl Recipe {
    /// Reads and checks a recipe.
    pub fn parse(text: &str) -> Result<Self, String> {
        let recipe: Self = toml::from_str(text).map_err(|error| format!("language.toml: {error}"))?;
        recipe.check().map(|()| recipe)
    }

    fn check(&self) -> Result<(), String> {
        let commands = [&self.run, &self.version]
            .into_iter()
            .chain(self.compile.iter().map(|compile| &compile.argv))
            .chain(self.wait.iter().map(|wait| &wait.argv));
        for argv in commands {
            let own = argv.first().is_some_and(|program| program.starts_with('/') || program.starts_with("./"));
            if !own {
                return Err(format!("language.toml: {argv:?} must begin with the path of a program"));
            }
        }
        if self.endings.is_empty() || self.file.contains('/') {
            return Err("language.toml: say how its files end, and what a source is called".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "title = \"T\"\nendings = [\"t\"]\nfile = \"main.t\"\nhello = \"\"\nversion = [\"/bin/t\"]\nrun = [\"/bin/t\", \"{main}\"]\n";

    #[test]
    fn what_means_nothing_is_refused() {
        assert!(Recipe::parse(SMALL).is_ok());
        for (bad, part) in [
            ("unknown = 1", "unknown"),
            ("[error]\npattern = \"line ([0-9]+)\"", "line"),
            ("[error]\npattern = \"(\"", "regex"),
            ("[compile]\nargv = [\"cc\"]\nkeep = []", "path of a program"),
        ] {
            let error = Recipe::parse(&format!("{SMALL}{bad}\n")).unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }

    #[test]
    fn an_error_s_line_is_that_of_the_program_s_own_file() {
        let place = |last| ErrorPlace {
            pattern: Regex::new(r#"File "(?P<file>[^"]+)", line (?P<line>[0-9]+)"#).unwrap(),
            last,
        };
        let text = "File \"/tmp/main.py\", line 3\nFile \"/tmp/main.py\", line 7\nFile \"/usr/lib/x.py\", line 90\n";
        assert_eq!(place(true).find(text, "main.py"), Some(7));
        assert_eq!(place(false).find(text, "main.py"), Some(3));
        assert_eq!(place(true).find("File \"main.py\", line 99999999999", "main.py"), None);
    }
}
