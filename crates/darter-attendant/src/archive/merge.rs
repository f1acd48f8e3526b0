//! Moves what was unpacked to where it belongs: folders into folders, files over files. Anything else that is in the way
//! is found before anything is moved.

use std::path::{Path, PathBuf};

use crate::fault::{AtPath, Fault};

/// Moves all that is in `from` into `to`.
pub(super) fn merge(from: &Path, to: &Path) -> Result<(), Fault> {
    let moves = plan(from, to)?;
    for (from, to) in moves {
        std::fs::rename(&from, &to).at(&to)?;
    }
    Ok(())
}

fn plan(from: &Path, to: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Fault> {
    let mut moves = Vec::new();
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        for entry in std::fs::read_dir(&from).at(&from)? {
            let entry = entry.at(&from)?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let new = entry.file_type().at(&source)?;
            match std::fs::symlink_metadata(&target) {
                Ok(old) if old.is_dir() && new.is_dir() => waiting.push((source, target)),
                Ok(old) if old.is_dir() != new.is_dir() || (new.is_dir() && old.is_symlink()) => {
                    let why = format!("{} is in the way: one is a folder, the other is not", target.display());
                    return Err(Fault::new("file.exists", why));
                }
                _ => moves.push((source, target)),
            }
        }
    }
    Ok(moves)
}
