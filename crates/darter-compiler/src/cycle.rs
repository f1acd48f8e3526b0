//! Rules about how the functions of an app import one another.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::{Import, resolve_import};

/// A function imports another that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingImport {
    pub specifier: String,
    /// The name that it resolves to.
    pub name: String,
}

/// Which imports of `from` name functions that are not there.
pub fn missing_imports(from: &str, imports: &[String], exists: impl Fn(&str) -> bool) -> Vec<MissingImport> {
    let mut missing = Vec::new();
    for specifier in imports {
        if let Import::Function(name) = resolve_import(from, specifier)
            && !exists(&name)
        {
            missing.push(MissingImport { specifier: specifier.clone(), name });
        }
    }
    missing
}

/// A cycle among functions (`name → specifiers`), first name repeated at the end: `[a, b, a]`. Names that are not in
/// the map import nothing.
pub fn cycle(functions: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let mut finished: BTreeSet<String> = BTreeSet::new();
    for start in functions.keys() {
        if let Some(found) = cycle_from(start, functions, &mut finished) {
            return Some(found);
        }
    }
    None
}

/// Depth first, with a stack of its own: chains may be as long as an app has functions.
fn cycle_from(
    start: &str,
    functions: &BTreeMap<String, Vec<String>>,
    finished: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    let next_names = |name: &str| -> Vec<String> {
        let specifiers = functions.get(name).map(Vec::as_slice).unwrap_or_default();
        let functions = specifiers.iter().filter_map(|specifier| match resolve_import(name, specifier) {
            Import::Function(target) => Some(target),
            Import::Sdk | Import::Package(_) => None,
        });
        functions.collect()
    };
    if finished.contains(start) {
        return None;
    }
    let mut path: Vec<String> = vec![start.to_owned()];
    let mut on_path: BTreeSet<String> = BTreeSet::from([start.to_owned()]);
    let mut pending: Vec<Vec<String>> = vec![next_names(start)];
    while let Some(names) = pending.last_mut() {
        let Some(name) = names.pop() else {
            pending.pop();
            if let Some(done) = path.pop() {
                on_path.remove(&done);
                finished.insert(done);
            }
            continue;
        };
        if on_path.contains(&name) {
            let begin = path.iter().position(|known| *known == name)?;
            let mut found = path.split_off(begin);
            found.push(name);
            return Some(found);
        }
        if !finished.contains(&name) {
            pending.push(next_names(&name));
            on_path.insert(name.clone());
            path.push(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(functions: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let own = |imports: &[&str]| imports.iter().map(|text| (*text).to_owned()).collect();
        functions.iter().map(|(name, imports)| ((*name).to_owned(), own(imports))).collect()
    }

    #[test]
    fn cycles_are_found_and_named_in_order() {
        for (functions, expected) in [
            (app(&[("a", &["@/b"]), ("b", &["./c"]), ("c", &["lodash", "@lafjs/cloud"])]), None),
            (app(&[("a", &["@/b"]), ("b", &["./a"])]), Some("a -> b -> a")),
            (app(&[("a", &["@/a"])]), Some("a -> a")),
            (
                app(&[("x", &["@/a"]), ("a", &["@/d/b"]), ("d/b", &["./c"]), ("d/c", &["../a"])]),
                Some("a -> d/b -> d/c -> a"),
            ),
            (app(&[("a", &["@/b", "@/c"]), ("b", &["@/d"]), ("c", &["@/d"]), ("d", &[])]), None),
            (app(&[("a", &["@/missing"])]), None),
        ] {
            assert_eq!(cycle(&functions).map(|names| names.join(" -> ")).as_deref(), expected, "{functions:?}");
        }
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_functions_is_walked_without_recursion() {
        let chain = |close: bool| -> BTreeMap<String, Vec<String>> {
            (0..100_000)
                .map(|n| {
                    (
                        format!("f{n}"),
                        if n < 99_999 {
                            vec![format!("@/f{}", n + 1)]
                        } else if close {
                            vec!["@/f0".into()]
                        } else {
                            vec![]
                        },
                    )
                })
                .collect()
        };
        assert_eq!(cycle(&chain(false)), None);
        assert_eq!(cycle(&chain(true)).map(|names| names.len()), Some(100_001));
    }

    #[test]
    fn imports_of_functions_that_are_not_there_are_reported() {
        let imports = ["@/there", "./gone", "lodash", "@/cloud-sdk"].map(String::from);
        let missing = missing_imports("api/users", &imports, |name| name == "there");
        assert_eq!(missing, vec![MissingImport { specifier: "./gone".into(), name: "api/gone".into() }]);
    }
}
