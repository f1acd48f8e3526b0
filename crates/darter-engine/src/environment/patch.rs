//! Changes downloaded files, before any sandbox has seen them. A patch that does not fit fails the install: a page that
//! half works is worse than the version before.

use std::path::Path;

use super::recipe::Patch;

/// Applies them in order, below `tree`.
pub fn apply(tree: &Path, patches: &[Patch]) -> Result<(), String> {
    for patch in patches {
        let path = tree.join(&patch.file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", patch.file))?;
        let found = text.matches(&patch.find).count();
        if patch.find.is_empty() || found != patch.times {
            return Err(format!(
                "The patch of {} ({}) does not fit: what it changes is there {found} times, not {}. The recipe was written for another version.",
                patch.file, patch.why, patch.times
            ));
        }
        std::fs::write(&path, text.replace(&patch.find, &patch.replace))
            .map_err(|error| format!("{}: {error}", patch.file))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(find: &str, times: usize) -> Patch {
        Patch { file: "f".into(), find: find.into(), replace: "new".into(), times, why: "a reason".into() }
    }

    #[test]
    fn a_patch_fits_exactly_or_says_so() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("f"), "old old x").unwrap();
        for bad in [patch("old", 1), patch("gone", 1), patch("", 1)] {
            assert!(apply(tree.path(), &[bad]).unwrap_err().contains("a reason"));
        }
        apply(tree.path(), &[patch("old", 2), patch("x", 1)]).unwrap();
        assert_eq!(std::fs::read_to_string(tree.path().join("f")).unwrap(), "new new new");
        let missing = Patch { file: "missing".into(), ..patch("x", 1) };
        assert!(apply(tree.path(), &[missing]).unwrap_err().contains("missing"));
    }
}
