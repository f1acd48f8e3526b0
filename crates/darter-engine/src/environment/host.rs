//! What a recipe needs of this machine, checked before anything is fetched: one message names everything that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FOLDERS: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];

/// Fails with the line that installs what is missing. Names are programs, or absolute paths.
pub fn check(needs: &BTreeMap<String, String>) -> Result<(), String> {
    let missing: Vec<(&String, &String)> = needs.iter().filter(|(name, _)| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let packages: BTreeSet<&str> = missing.iter().map(|(_, package)| package.as_str()).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    Err(format!(
        "This machine lacks {}. As root: apt-get install -y {}. Then install the environment again.",
        names.join(", "),
        packages.join(" ")
    ))
}

fn is_there(name: &str) -> bool {
    if name.starts_with('/') {
        return Path::new(name).exists();
    }
    FOLDERS.iter().any(|folder| Path::new(folder).join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_with_one_line_that_brings_it() {
        let needs = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(check(&needs(&[("sh", "dash"), ("/usr", "base-files")])), Ok(()));
        let why = check(&needs(&[("sh", "dash"), ("no-a", "pa"), ("no-b", "pa"), ("/no/c", "pc")])).unwrap_err();
        assert!(why.contains("/no/c, no-a, no-b") && why.contains("apt-get install -y pa pc"), "{why}");
    }
}
