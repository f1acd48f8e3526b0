//! Law: dependencies between our crates point the way that the table in ARCHITECTURE.md says. The table is read from the
//! text, so that the text cannot lie.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree};

const MAP: &str = "ARCHITECTURE.md";

/// Who may use whom. `None` in the map: everything.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

fn table(text: &str) -> Table {
    let mut table = Table::new();
    for line in text.lines().filter(|line| line.starts_with("| `darter")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, .., uses] = cells.as_slice() else { continue };
        let uses = match *uses {
            "everything" => None,
            list => Some(
                list.split(',').map(str::trim).filter(|word| !matches!(*word, "–" | "-" | "")).map(full_name).collect(),
            ),
        };
        table.insert(name.trim_matches('`').to_owned(), uses);
    }
    table
}

fn full_name(word: &str) -> String {
    format!("darter-{}", word.trim_matches('`'))
}

/// Names of our crates in the `[dependencies]` and `[build-dependencies]` of a manifest.
fn ours(manifest: &str) -> Result<BTreeSet<String>, toml::de::Error> {
    let manifest: toml::Table = manifest.parse()?;
    let sections = ["dependencies", "build-dependencies"].into_iter().filter_map(|name| manifest.get(name)?.as_table());
    Ok(sections.flat_map(|section| section.keys()).filter(|name| name.starts_with("darter")).cloned().collect())
}

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(map) = tree.get(MAP) else { return vec![Finding::new(MAP, 0, "is missing: the arrows are read from it")] };
    let table = table(&map.text);
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(krate) = file.path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/Cargo.toml")) else {
            continue;
        };
        let Some(allowed) = table.get(krate) else {
            findings.push(Finding::new(MAP, 0, format!("has no row for the crate {krate}")));
            continue;
        };
        match ours(&file.text) {
            Err(error) => findings.push(Finding::new(&file.path, 0, format!("cannot be read: {error}"))),
            Ok(used) => findings.extend(
                used.iter().filter(|name| allowed.as_ref().is_some_and(|allowed| !allowed.contains(*name))).map(
                    |name| Finding::new(&file.path, 0, format!("{krate} may not use {name} (see the table in {MAP})")),
                ),
            ),
        }
    }
    findings
}
