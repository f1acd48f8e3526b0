//! The packages that every function can import without installing them, with the versions that the runtime's lockfile
//! fixes: what the console shows.

use std::collections::BTreeMap;

use serde::Deserialize;

const LOCKFILE: &str = include_str!("../../../../runtimes/node/package-lock.json");

#[derive(Deserialize)]
struct Lockfile {
    packages: BTreeMap<String, Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    version: String,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

/// Name → version.
pub fn built_in() -> BTreeMap<String, String> {
    let Ok(lockfile) = serde_json::from_str::<Lockfile>(LOCKFILE) else { return BTreeMap::new() };
    let wanted =
        lockfile.packages.get("").map(|root| root.dependencies.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let found =
        |name: String| Some((name.clone(), lockfile.packages.get(&format!("node_modules/{name}"))?.version.clone()));
    wanted.into_iter().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_packages_have_their_versions() {
        let packages = built_in();
        assert!(packages.len() > 10);
        assert!(packages.iter().all(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit())), "{packages:?}");
        assert!(packages.contains_key("lodash"));
    }
}
