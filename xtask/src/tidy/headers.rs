//! Law: every source file opens with why it exists and what it must never do.

use super::{Finding, Tree};

/// Where scripts must explain themselves too.
const SCRIPT_HOMES: &[&str] = &["web/", "runtimes/", "tests/", "bench/", "scripts/", "sdk/"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        // A fixture is input of a test, not a source of ours.
        if file.generated() || file.path.contains("/fixtures/") {
            continue;
        }
        let first = file
            .text
            .trim_start_matches('\u{feff}')
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
        let Some(first) = first else { continue };
        let script = SCRIPT_HOMES.iter().any(|home| file.path.starts_with(home));
        let (fits, wanted) = match file.ending() {
            "rs" => (first.starts_with("//!"), "//!"),
            "ts" | "mts" | "js" | "mjs" | "cjs" if script => (first.starts_with("//") || first.starts_with("/*"), "//"),
            "svelte" if script => (first.starts_with("<!--") || first.starts_with("<script"), "<!-- … -->"),
            "sh" => (first.starts_with('#'), "#"),
            _ => continue,
        };
        let says = first.trim_start_matches(['/', '!', '*', '#', '<', '-']).trim().len() > 3;
        if !fits || !says {
            let what = format!("open with a `{wanted}` comment: why this file exists and what it must never do");
            findings.push(Finding::new(&file.path, 1, what));
        }
    }
    findings
}
