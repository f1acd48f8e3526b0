//! What a key is, what can be wrong with one, and which known key an unknown one resembles.

use std::fmt;

use toml::{Table, Value};

use super::{SECTIONS, provider};

/// A key of a section, for the reference page and for the environment.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub about: &'static str,
}

impl Key {
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about }
    }
}

/// How a key's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Flag,
    /// Texts; in the environment separated by commas.
    List,
    /// A text that is never shown; `<key>_file` names a file that holds it.
    Secret,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub what: String,
    pub fix: String,
}

impl Problem {
    pub fn new(key: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { key: key.into(), what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.key, self.what.trim_end_matches(['.', '\n']), self.fix)
    }
}

/// A number within its range.
pub fn within(key: &str, value: u64, low: u64, high: u64) -> Option<Problem> {
    let fix = format!("choose a number from {low} to {high}");
    (!(low..=high).contains(&value)).then(|| Problem::new(key, format!("{value} is out of range"), fix))
}

/// Sets a key of a section.
pub fn put(table: &mut Table, section: &str, name: &str, value: Value) {
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(values) = entry {
        values.insert(name.to_owned(), value);
    }
}

/// Names that a section takes: its keys, and `_file` for its secrets.
pub fn names(keys: &[Key]) -> Vec<String> {
    let secrets = keys.iter().filter(|key| key.kind == Kind::Secret).map(|key| format!("{}_file", key.name));
    keys.iter().map(|key| key.name.to_owned()).chain(secrets).collect()
}

/// Every key of a file that does not exist, with the one that was probably meant.
pub fn unknown(table: &Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    let sections: Vec<String> =
        SECTIONS.iter().map(|(name, ..)| (*name).to_owned()).chain(["providers".into()]).collect();
    for (section, value) in table {
        if !sections.contains(section) {
            problems.push(missing(section, "there is no such section", section, &sections));
            continue;
        }
        let known = SECTIONS.iter().find(|(name, ..)| name == section).map_or(provider::KEYS, |(_, _, keys)| keys);
        let known = names(known);
        let tables: Vec<&Table> = match value {
            Value::Table(values) if section != "providers" => vec![values],
            Value::Array(list) if section == "providers" => list.iter().filter_map(Value::as_table).collect(),
            _ => {
                let form = if section == "providers" { "[[providers]]".into() } else { format!("[{section}]") };
                problems.push(Problem::new(section, "this is not how the section is written", format!("write {form}")));
                continue;
            }
        };
        for name in tables.into_iter().flat_map(|values| values.keys()).filter(|name| !known.contains(name)) {
            problems.push(missing(&format!("{section}.{name}"), "there is no such key", name, &known));
        }
    }
    problems
}

/// A problem that names the nearest of the known names.
pub fn missing(key: &str, what: &str, name: &str, known: &[String]) -> Problem {
    let nearest = known.iter().min_by_key(|candidate| distance(name, candidate));
    let fix = match nearest {
        Some(candidate) if distance(name, candidate) <= 3.max(name.len() / 3) => format!("did you mean {candidate}?"),
        _ => format!("there are {}", known.join(", ")),
    };
    Problem::new(key, what, fix)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
