//! Law: a file that nobody can read in one go is split by noun and verb.

use super::{Finding, Tree};

const PRODUCTION: usize = 600;
const TESTS: usize = 800;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let code = tree.files.iter().filter(|file| {
        matches!(file.ending(), "rs" | "ts" | "mts" | "js" | "mjs" | "svelte" | "css" | "sql" | "sh")
            && !file.generated()
    });
    code.filter_map(|file| {
        let longest = if file.test() { TESTS } else { PRODUCTION };
        let length = file.text.lines().count();
        let what = format!("has {length} lines; at most {longest}: split it by noun and verb");
        (length > longest).then(|| Finding::new(&file.path, 0, what))
    })
    .collect()
}
