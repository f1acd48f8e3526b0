//! `DARTER_<SECTION>_<KEY>`: each key as an environment variable. A variable that looks like one of ours and is none is
//! an error, not a silence.

use toml::{Table, Value};

use super::SECTIONS;
use super::key::{self, Key, Kind, Problem};

/// The variable of a key.
pub fn variable(section: &str, name: &str) -> String {
    format!("DARTER_{}_{}", section.to_uppercase(), name.to_uppercase())
}

/// Puts the variables' values into the table.
pub fn apply(table: &mut Table, variables: impl Iterator<Item = (String, String)>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (variable, text) in variables {
        let Some((section, name, keys)) = addressed(&variable) else { continue };
        let secret_file = keys.iter().any(|key| key.kind == Kind::Secret && name == format!("{}_file", key.name));
        match keys.iter().find(|key| key.name == name) {
            None if secret_file => key::put(table, section, &name, text.into()),
            None => problems.push(key::missing(&variable, "there is no such key", &name, &key::names(keys))),
            Some(found) => match value(found, &text) {
                Ok(value) => {
                    if found.kind == Kind::Secret {
                        // The environment wins over a `_file` of the configuration file.
                        remove(table, section, &format!("{name}_file"));
                    }
                    key::put(table, section, &name, value);
                }
                Err(fix) => problems.push(Problem::new(&variable, format!("{text:?} does not fit"), fix)),
            },
        }
    }
    problems
}

/// Which section and key a variable is about.
fn addressed(variable: &str) -> Option<(&'static str, String, &'static [Key])> {
    let rest = variable.strip_prefix("DARTER_")?.to_lowercase();
    SECTIONS.iter().find_map(|(section, _, keys)| {
        let name = rest.strip_prefix(section)?.strip_prefix('_')?;
        Some((*section, name.to_owned(), *keys))
    })
}

fn value(key: &Key, text: &str) -> Result<Value, &'static str> {
    Ok(match key.kind {
        Kind::Text | Kind::Secret => text.into(),
        Kind::Number => text.trim().parse::<i64>().map_err(|_| "write a whole number")?.into(),
        Kind::Flag => text.trim().parse::<bool>().map_err(|_| "write true or false")?.into(),
        Kind::List => text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().into(),
    })
}

fn remove(table: &mut Table, section: &str, name: &str) {
    if let Some(Value::Table(values)) = table.get_mut(section) {
        values.remove(name);
    }
}
