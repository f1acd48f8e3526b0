//! What an entry is: `GET /v1/stat`, and the form in which entries are told everywhere.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use http::Request;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use crate::answer::{self, Answer};
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};
use crate::name;
use crate::params::Params;

/// `file`, `directory`, `link` or `other`.
pub(crate) fn kind(meta: &Metadata) -> &'static str {
    match meta.file_type() {
        kind if kind.is_symlink() => "link",
        kind if kind.is_dir() => "directory",
        kind if kind.is_file() => "file",
        _ => "other",
    }
}

/// Milliseconds since 1970, of the kernel's seconds and nanoseconds.
pub(crate) fn millis(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

/// Changes with the content: what `ETag` and `If-Match` carry.
pub(crate) fn tag(meta: &Metadata) -> String {
    format!("\"{:x}-{:x}-{:x}-{:x}\"", meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec())
}

/// An entry that is no link, or the link itself; of a link, what it leads to as well.
pub(crate) fn of(path: &Path) -> Result<Map<String, Value>, Fault> {
    let meta = std::fs::symlink_metadata(path).at(path)?;
    let mut told = Map::new();
    // A link that leads nowhere is only a link.
    let target = if meta.is_symlink() { std::fs::metadata(path).ok() } else { None };
    let shown = target.as_ref().unwrap_or(&meta);
    told.insert("type".into(), kind(&meta).into());
    if meta.is_symlink() {
        let link = std::fs::read_link(path).at(path)?;
        name::put(&mut told, "link", link.as_os_str());
        told.insert("target".into(), target.as_ref().map(kind).into());
    }
    told.insert("size".into(), shown.size().into());
    told.insert("modified_ms".into(), millis(shown.mtime(), shown.mtime_nsec()).into());
    told.insert("changed_ms".into(), millis(shown.ctime(), shown.ctime_nsec()).into());
    told.insert("mode".into(), (shown.mode() & 0o7777).into());
    told.insert("etag".into(), tag(shown).into());
    Ok(told)
}

pub(crate) async fn answer(request: Request<Incoming>) -> Answer {
    let path: PathBuf = Params::of_query(request.uri()).path("path")?;
    answer::json(&blocking(move || of(&path)).await?)
}
