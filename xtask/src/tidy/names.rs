//! Law: a file is named after what it does. Some names only say that somebody did not know where to put something.

use super::{Finding, Tree};

const EMPTY: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "stuff", "part2"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let code = |ending: &str| matches!(ending, "rs" | "ts" | "js" | "mjs" | "svelte");
    let ours = tree.files.iter().filter(|file| code(file.ending()) && !file.generated());
    ours.filter_map(|file| {
        let part = file.path.split('/').find(|part| EMPTY.contains(&part.split('.').next().unwrap_or_default()))?;
        Some(Finding::new(&file.path, 0, format!("`{part}` says nothing: name it after what it does")))
    })
    .collect()
}
