//! Law: nothing in the repository depends on one machine, names a registry's host, or is left for later.

use super::{Finding, Source, Tree};

/// In two halves, so that this file does not break its own law.
const ELSEWHERE: &[(&str, &str)] = &[
    ("/work/", "main"),
    ("/work/", "shared"),
    ("/root/", ".cache"),
    ("registry.npmjs", ".org"),
    ("pypi", ".org"),
    ("deb.debian", ".org"),
    ("static.crates", ".io"),
];
const LATER: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME"), ("XX", "X:")];

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(|file| elsewhere(file).into_iter().chain(later(file))).collect()
}

fn elsewhere(file: &Source) -> Vec<Finding> {
    let hit = |line: &str| ELSEWHERE.iter().map(|(a, b)| format!("{a}{b}")).find(|word| line.contains(word));
    file.lines()
        .filter_map(|(number, line)| {
            let word = hit(line)?;
            Some(Finding::new(
                &file.path,
                number,
                format!("{word} belongs to one machine or one registry: make it a setting"),
            ))
        })
        .collect()
}

fn later(file: &Source) -> Vec<Finding> {
    if !matches!(file.ending(), "rs" | "ts" | "js" | "mjs" | "svelte" | "sh" | "sql") || file.generated() {
        return Vec::new();
    }
    let hit = |line: &str| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == ':'));
        words.any(|word| {
            LATER.iter().any(|(a, b)| word.trim_end_matches(':') == format!("{a}{b}").trim_end_matches(':'))
        })
    };
    file.lines()
        .filter(|(_, line)| hit(line))
        .map(|(number, _)| Finding::new(&file.path, number, "do it now, or write an issue"))
        .collect()
}
