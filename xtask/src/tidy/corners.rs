//! Laws: SQL lives only in the store; `unsafe` only in the sandbox, in the agent, and in one file of the attendant.

use super::{Finding, Source, Tree};

const SQL_HOME: &[&str] = &["darter-store"];
const UNSAFE_HOMES: &[&str] = &["darter-sandbox", "darter-agent"];
const UNSAFE_FILES: &[&str] = &["crates/darter-attendant/src/passed.rs"];
/// How a query starts, in capitals as everybody writes it.
const QUERIES: &[&str] =
    &["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE ", "DROP TABLE ", "PRAGMA "];

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|file| sql(file).into_iter().chain(unchecked(file))).collect()
}

fn lives_in(file: &Source, homes: &[&str]) -> bool {
    file.krate().is_some_and(|krate| homes.contains(&krate))
}

fn sql(file: &Source) -> Vec<Finding> {
    if lives_in(file, SQL_HOME) || file.path.starts_with("xtask/") {
        return Vec::new();
    }
    let query = |line: &str| {
        let updates = line.contains("\"UPDATE ") && line.contains(" SET ");
        line.contains("sqlx::") || updates || QUERIES.iter().any(|start| line.contains(&format!("\"{start}")))
    };
    file.lines()
        .filter(|(_, line)| !line.trim_start().starts_with("//") && query(line))
        .map(|(number, _)| {
            Finding::new(&file.path, number, "SQL lives only in darter-store: make it a repository's call")
        })
        .collect()
}

fn unchecked(file: &Source) -> Vec<Finding> {
    if lives_in(file, UNSAFE_HOMES) || UNSAFE_FILES.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let marks = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code)", "expect(unsafe_code"];
    file.lines()
        .filter(|(_, line)| !line.contains('"') && !line.trim_start().starts_with("//"))
        .filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)))
        .map(|(number, _)| {
            Finding::new(
                &file.path,
                number,
                "unsafe lives only in darter-sandbox, darter-agent and the attendant's passed.rs",
            )
        })
        .collect()
}
