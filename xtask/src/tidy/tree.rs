//! The files of the checkout, as git sees them: committed or not yet, never what git ignores.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One text file.
#[derive(Debug, Clone)]
pub struct Source {
    /// From the root of the checkout, with `/`.
    pub path: String,
    pub text: String,
}

impl Source {
    /// The ending without its dot.
    pub fn ending(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, ending)| ending)
    }

    /// The crate's folder name (`darter-core`, `xtask`), when it belongs to one.
    pub fn krate(&self) -> Option<&str> {
        match self.path.strip_prefix("crates/") {
            Some(rest) => rest.split('/').next(),
            None => self.path.starts_with("xtask/").then_some("xtask"),
        }
    }

    /// Lines with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Made by a program, so that the laws of style do not bind it.
    pub fn generated(&self) -> bool {
        self.path.contains("/generated/") || self.path.ends_with("-lock.json") || self.path.ends_with(".d.ts")
    }

    /// Holds tests only.
    pub fn test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        self.path.split('/').any(|part| matches!(part, "tests" | "test" | "benches"))
            || stem == "tests"
            || stem.ends_with("_test")
            || stem.ends_with("_tests")
            || name.contains(".test.")
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: Vec<Source>,
}

impl Tree {
    /// Reads the checkout. Files that are not text are left out.
    pub fn of_checkout(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git is needed to know which files belong to the checkout")?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut files = BTreeMap::new();
        for name in String::from_utf8(output.stdout)?.split('\0').filter(|name| !name.is_empty()) {
            if let Ok(text) = std::fs::read_to_string(root.join(name)) {
                files.insert(name.to_owned(), text);
            }
        }
        Ok(Self { files: files.into_iter().map(|(path, text)| Source { path, text }).collect() })
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.ending() == "rs")
    }

    /// One file.
    pub fn get(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }
}
