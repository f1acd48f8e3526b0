//! Making, moving, copying and deleting entries: the same for a request of its own and for a session's.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use serde_json::{Map, Value};

use super::stat;
use super::write::temporary_name;
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};
use crate::params::{self, Params};
use crate::tree;

type Told = Result<Map<String, Value>, Fault>;

/// `{path}`: with all the folders above it; one that is there is fine.
pub(crate) async fn make_folder(params: &Params) -> Told {
    let path = params.path("path")?;
    blocking(move || {
        match std::fs::create_dir_all(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && !path.is_dir() => {
                return Err(Fault::new("file.not_a_directory", format!("{} is there and no folder", path.display())));
            }
            other => other.at(&path)?,
        }
        stat::of(&path)
    })
    .await
}

/// `{from, to, overwrite}`
pub(crate) async fn rename(params: &Params) -> Told {
    let (from, to, overwrite) = both(params)?;
    blocking(move || {
        let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match rustix::fs::renameat_with(CWD, &from, CWD, &to, flags) {
            Err(Errno::NOENT) => {
                std::fs::symlink_metadata(&from).at(&from)?;
                return Err(Fault::new("file.not_found", format!("{} has no such folder", to.display())));
            }
            Err(Errno::EXIST) => return Err(exists(&to)),
            // A folder over a file, or over a folder that is not empty.
            Err(Errno::NOTDIR | Errno::ISDIR | Errno::NOTEMPTY) if overwrite && inside(&from, &to) => {
                return Err(Fault::invalid(format!("{} is in the folder that it would replace", from.display())));
            }
            Err(Errno::NOTDIR | Errno::ISDIR | Errno::NOTEMPTY) if overwrite => replace(&from, &to)?,
            // Another file system.
            Err(Errno::XDEV) => {
                copy_over(&from, &to, overwrite)?;
                tree::remove(&from).at(&from)?;
            }
            Err(Errno::INVAL) if inside(&to, &from) => return Err(into_itself(&from)),
            other => other.at(&to)?,
        }
        stat::of(&to)
    })
    .await
}

/// `{from, to, overwrite}`: a folder with all that is in it, links as links.
pub(crate) async fn copy(params: &Params) -> Told {
    let (from, to, overwrite) = both(params)?;
    blocking(move || {
        copy_over(&from, &to, overwrite)?;
        stat::of(&to)
    })
    .await
}

/// `{path, recursive}`: a link is deleted, never what it leads to.
pub(crate) async fn delete(params: &Params) -> Told {
    let (path, recursive) = (params.path("path")?, params.flag("recursive")?);
    params::last(&path)?;
    blocking(move || {
        let meta = std::fs::symlink_metadata(&path).at(&path)?;
        match (meta.is_dir(), recursive) {
            (true, true) => tree::remove(&path).at(&path)?,
            (true, false) => std::fs::remove_dir(&path).at(&path)?,
            (false, _) => std::fs::remove_file(&path).at(&path)?,
        }
        Ok(Map::new())
    })
    .await
}

fn both(params: &Params) -> Result<(PathBuf, PathBuf, bool), Fault> {
    let (from, to) = (params.path("from")?, params.path("to")?);
    params::last(&from)?;
    params::last(&to)?;
    Ok((from, to, params.flag("overwrite")?))
}

fn exists(path: &Path) -> Fault {
    Fault::new("file.exists", format!("{} exists already", path.display()))
}

fn into_itself(path: &Path) -> Fault {
    Fault::invalid(format!("{} cannot be put into itself", path.display()))
}

/// Is `path` below `folder`, all links resolved?
fn inside(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(path.parent().unwrap_or(path)).starts_with(real(folder))
}

/// Under a name of its own first, so that a copy is there whole or not at all.
fn copy_over(from: &Path, to: &Path, overwrite: bool) -> Result<(), Fault> {
    let meta = std::fs::symlink_metadata(from).at(from)?;
    if meta.is_dir() && inside(to, from) {
        return Err(into_itself(from));
    }
    if !overwrite && std::fs::symlink_metadata(to).is_ok() {
        return Err(exists(to));
    }
    let draft = to.with_file_name(temporary_name());
    let copied = tree::copy(from, &draft).at(from).and_then(|()| replace(&draft, to));
    if copied.is_err() {
        // Best effort: its name says what it is.
        let _ = tree::remove(&draft);
    }
    copied
}

/// Moves `from` to `to`, whatever is there; it is put aside first and removed last.
fn replace(from: &Path, to: &Path) -> Result<(), Fault> {
    if std::fs::symlink_metadata(to).is_err() {
        return std::fs::rename(from, to).at(to);
    }
    let aside = to.with_file_name(temporary_name());
    std::fs::rename(to, &aside).at(to)?;
    if let Err(error) = std::fs::rename(from, to) {
        std::fs::rename(&aside, to).at(to)?;
        return Err(Fault::file(&error, to));
    }
    tree::remove(&aside).at(&aside)
}
