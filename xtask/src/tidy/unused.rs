//! Law: a crate names no dependency that its sources do not use, and the workspace none that no crate uses.

use std::collections::BTreeSet;

use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut taken = BTreeSet::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let Ok(manifest) = file.text.parse::<toml::Table>() else {
            findings.push(Finding::new(&file.path, 0, "is not a manifest"));
            continue;
        };
        let folder = file.path.trim_end_matches("Cargo.toml");
        let used = words(tree, folder);
        for name in dependencies(&manifest) {
            taken.insert(name.clone());
            let ident = name.replace('-', "_");
            let itself =
                manifest.get("package").and_then(|package| package.get("name")?.as_str()) == Some(name.as_str());
            if !itself && !used.contains(ident.as_str()) {
                findings.push(Finding::new(&file.path, 0, format!("does not use its dependency {name}: remove it")));
            }
        }
    }
    if let Some(root) = tree.get("Cargo.toml").and_then(|file| file.text.parse::<toml::Table>().ok()) {
        let listed = root.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table());
        findings.extend(listed.into_iter().flat_map(|table| table.keys()).filter(|name| !taken.contains(*name)).map(
            |name| Finding::new("Cargo.toml", 0, format!("no crate uses the workspace's dependency {name}: remove it")),
        ));
    }
    findings
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|table| table.values());
    for table in std::iter::once(manifest).chain(targets.filter_map(toml::Value::as_table)) {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            names
                .extend(table.get(section).and_then(toml::Value::as_table).into_iter().flat_map(|t| t.keys().cloned()));
        }
    }
    names
}

/// Every identifier in the Rust files below a folder.
fn words<'a>(tree: &'a Tree, folder: &str) -> BTreeSet<&'a str> {
    tree.rust()
        .filter(|file| file.path.starts_with(folder))
        .flat_map(|file| file.text.lines().filter(|line| !line.trim_start().starts_with("//")))
        .flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')))
        .filter(|word| !word.is_empty())
        .collect()
}
