//! Values that are never shown: not in a log, not in `config show`, not in an error.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use toml::{Table, Value};

use super::key::{self, Key, Kind, Problem};
use super::{SECTIONS, provider};

/// A text that prints as `…`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "…" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "…" })
    }
}

/// Replaces every `<key>_file` by what the file holds, without its last line end.
pub fn read_files(table: &mut Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (section, _, keys) in SECTIONS {
        if let Some(Value::Table(values)) = table.get_mut(*section) {
            read_section(values, section, keys, &mut problems);
        }
    }
    if let Some(Value::Array(list)) = table.get_mut("providers") {
        for values in list.iter_mut().filter_map(Value::as_table_mut) {
            read_section(values, "providers", provider::KEYS, &mut problems);
        }
    }
    problems
}

fn read_section(values: &mut Table, section: &str, keys: &[Key], problems: &mut Vec<Problem>) {
    for found in keys.iter().filter(|found| found.kind == Kind::Secret) {
        let named = format!("{}_file", found.name);
        let Some(file) = values.remove(&named) else { continue };
        let key = format!("{section}.{named}");
        if values.contains_key(found.name) {
            problems.push(Problem::new(key, format!("{} is set too", found.name), "keep one of the two"));
            continue;
        }
        let Some(path) = file.as_str() else {
            problems.push(Problem::new(key, "this is no path", "write the path of a file in quotes"));
            continue;
        };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                values.insert(found.name.to_owned(), text.strip_suffix('\r').unwrap_or(text).into());
            }
            Err(error) => {
                let fix = "name a file that exists and that this account may read";
                problems.push(key::Problem::new(key, format!("{path}: {error}"), fix));
            }
        }
    }
}
