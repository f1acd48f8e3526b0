//! Law: a link in our documents leads somewhere. Only relative links are followed; the network is not asked.

use std::collections::BTreeSet;

use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let files: BTreeSet<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.ending() == "md") {
        let mut fenced = false;
        for (number, line) in file.lines() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for target in targets(line) {
                let path = resolve(&file.path, target);
                let folder = format!("{path}/");
                // Pictures are no text, so they are not in the tree: their folder's presence has to do.
                let picture = [".png", ".jpg", ".webp", ".svg", ".gif"].iter().any(|ending| path.ends_with(ending));
                if !picture && !files.contains(path.as_str()) && !files.iter().any(|known| known.starts_with(&folder)) {
                    findings.push(Finding::new(&file.path, number, format!("the link to {target} leads nowhere")));
                }
            }
        }
    }
    findings
}

/// The relative targets of `[text](target)` in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ', '#']).next()?;
        let relative = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
        (relative && rest.contains(')')).then_some(target)
    })
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect()),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}
