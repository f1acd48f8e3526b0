//! The laws of ARCHITECTURE.md that a program can check. Each file here is one law: it takes the tree and returns
//! findings. A law must never be silently off: when it cannot find what it looks at, that is a finding too.

mod arrows;
mod corners;
mod handlers;
mod headers;
mod links;
mod names;
mod sizes;
mod tree;
mod unused;
mod words;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

pub use tree::{Source, Tree};

/// One broken law.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    pub what: String,
}

impl Finding {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

const LAWS: &[fn(&Tree) -> Vec<Finding>] = &[
    arrows::check,
    corners::check,
    handlers::check,
    headers::check,
    links::check,
    names::check,
    sizes::check,
    unused::check,
    words::check,
];

/// Every finding in the tree, in order.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut all: Vec<Finding> = LAWS.iter().flat_map(|law| law(tree)).collect();
    all.sort();
    all.dedup();
    all
}

/// `cargo xtask tidy`.
pub fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::of_checkout(root)?;
    let found = findings(&tree);
    for finding in &found {
        match finding.line {
            0 => println!("{}: {}", finding.file, finding.what),
            line => println!("{}:{line}: {}", finding.file, finding.what),
        }
    }
    if found.is_empty() {
        println!("tidy: {} files keep {} laws", tree.files.len(), LAWS.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {} findings", found.len());
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests;
