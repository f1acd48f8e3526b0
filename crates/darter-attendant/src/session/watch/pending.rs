//! Changes that wait to be told, at most [`MOST`] of a watch: one more, and all of them become one change of its root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Most changes that are told of a watch at a time.
const MOST: usize = 4096;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Changed,
    Deleted,
}

/// By watch: the root, and what happened below it.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<u32, (PathBuf, Changes)>);

#[derive(Debug)]
enum Changes {
    Each(BTreeMap<PathBuf, Change>),
    All,
}

impl Pending {
    pub(super) fn add(&mut self, watch: u32, root: &Path, path: &Path, change: Change) {
        let (_, changes) = self.of(watch, root);
        let Changes::Each(each) = changes else { return };
        let merged = match (each.get(path), change) {
            (Some(Change::Created), Change::Deleted) => None,
            (Some(Change::Created), Change::Changed) => Some(Change::Created),
            (Some(Change::Deleted), Change::Created) => Some(Change::Changed),
            (_, change) => Some(change),
        };
        match merged {
            Some(change) => each.insert(path.to_owned(), change),
            None => each.remove(path),
        };
        if each.len() > MOST {
            *changes = Changes::All;
        }
    }

    /// Too much happened to say what.
    pub(super) fn all(&mut self, watch: u32, root: &Path) {
        self.of(watch, root).1 = Changes::All;
    }

    fn of(&mut self, watch: u32, root: &Path) -> &mut (PathBuf, Changes) {
        self.0.entry(watch).or_insert_with(|| (root.to_owned(), Changes::Each(BTreeMap::new())))
    }

    /// `[[what, path], …]` of each watch.
    pub(super) fn told(self) -> impl Iterator<Item = (u32, Vec<Value>)> {
        self.0.into_iter().filter_map(|(watch, (root, changes))| {
            let told: Vec<Value> = match changes {
                Changes::All => vec![json!(["changed", root.to_string_lossy()])],
                Changes::Each(each) => each.into_iter().map(|(path, change)| one(&path, change)).collect(),
            };
            (!told.is_empty()).then_some((watch, told))
        })
    }
}

fn one(path: &Path, change: Change) -> Value {
    let what = match change {
        Change::Created => "created",
        Change::Changed => "changed",
        Change::Deleted => "deleted",
    };
    json!([what, path.to_string_lossy()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(changes: &[(&str, Change)]) -> Value {
        let mut pending = Pending::default();
        for (path, change) in changes {
            pending.add(1, Path::new("/r"), Path::new(path), *change);
        }
        pending.told().map(|(_, told)| Value::Array(told)).next().unwrap_or(Value::Null)
    }

    #[test]
    fn what_happened_to_a_path_is_told_as_one_change() {
        use Change::{Changed, Created, Deleted};
        assert_eq!(told(&[("/r/a", Created), ("/r/a", Changed)]), json!([["created", "/r/a"]]));
        assert_eq!(told(&[("/r/a", Created), ("/r/a", Deleted)]), Value::Null);
        assert_eq!(told(&[("/r/a", Deleted), ("/r/a", Created)]), json!([["changed", "/r/a"]]));
        assert_eq!(told(&[("/r/a", Changed), ("/r/a", Deleted)]), json!([["deleted", "/r/a"]]));
    }

    #[test]
    fn too_many_changes_are_one_change_of_the_whole() {
        let paths: Vec<String> = (0..=MOST).map(|index| format!("/r/{index}")).collect();
        let all: Vec<(&str, Change)> = paths.iter().map(|path| (path.as_str(), Change::Changed)).collect();
        assert_eq!(told(&all), json!([["changed", "/r"]]));
    }
}
