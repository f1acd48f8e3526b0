//! `GET /v1/list`: what is in a folder, sorted by name. A folder with more than [`MOST`] entries is told in part.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use http::Request;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::stat::{kind, millis};
use crate::answer::{self, Answer};
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};
use crate::name;
use crate::params::Params;

/// Most entries that are told.
const MOST: usize = 10_000;

pub(crate) async fn answer(request: Request<Incoming>) -> Answer {
    let path: PathBuf = Params::of_query(request.uri()).path("path")?;
    let (entries, more) = blocking(move || list(&path)).await?;
    answer::json(&json!({ "entries": entries, "more": more }))
}

fn list(path: &Path) -> Result<(Vec<Map<String, Value>>, bool), Fault> {
    let (entries, more) = names(path, MOST)?;
    let told = entries.into_iter().filter_map(|(name, _)| {
        // One that went away meanwhile is not there.
        let meta = std::fs::symlink_metadata(path.join(&name)).ok()?;
        let mut entry = Map::new();
        name::put(&mut entry, "name", &name);
        entry.insert("type".into(), kind(&meta).into());
        entry.insert("size".into(), meta.size().into());
        entry.insert("modified_ms".into(), millis(meta.mtime(), meta.mtime_nsec()).into());
        entry.insert("mode".into(), (meta.mode() & 0o7777).into());
        Some(entry)
    });
    Ok((told.collect(), more))
}

/// A name and its type.
type Named = (OsString, &'static str);

/// Names and types, sorted; and whether there are more.
pub(crate) fn names(path: &Path, most: usize) -> Result<(Vec<Named>, bool), Fault> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).at(path)? {
        let entry = entry.at(path)?;
        if entries.len() == most {
            entries.sort();
            return Ok((entries, true));
        }
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => "link",
            Ok(kind) if kind.is_dir() => "directory",
            Ok(kind) if kind.is_file() => "file",
            _ => "other",
        };
        entries.push((entry.file_name(), kind));
    }
    entries.sort();
    Ok((entries, false))
}
