//! `fs.*`: files as an editor wants them. Content goes out piece by piece; what comes in is written beside the old file
//! first, unless that would break a link or the folder does not allow it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Session;
use super::frame::Kind;
use crate::activity::Input;
use crate::answer::PIECE;
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};
use crate::files::write::{Draft, Expected};
use crate::files::{change, list, open, stat};
use crate::name;
use crate::params::Params;

/// Most entries of a folder.
const ENTRIES: usize = 100_000;

pub(super) async fn answer(
    session: &Arc<Session>,
    id: u32,
    what: &str,
    params: &Params,
    body: Bytes,
) -> Result<Value, Fault> {
    match what {
        "stat" => {
            let path = params.path("path")?;
            blocking(move || stat::of(&path)).await.map(with_times)
        }
        "readdir" => {
            let path = params.path("path")?;
            blocking(move || entries(&path)).await
        }
        "read" => read(session, id, params).await,
        "write" => {
            let wanted = Writing::of(params)?;
            let told = blocking(move || wanted.write(body)).await?;
            session.attendant.activity.input(Input::File);
            Ok(with_times(told))
        }
        "mkdir" => change::make_folder(params).await.map(with_times),
        "delete" => change::delete(params).await.map(Value::Object),
        "rename" => change::rename(params).await.map(with_times),
        "copy" => change::copy(params).await.map(with_times),
        other => Err(Fault::new("request.unknown", format!("`fs.{other}` is nothing that a session does"))),
    }
}

/// Editors call them so.
fn with_times(mut told: Map<String, Value>) -> Value {
    for (theirs, ours) in [("mtime", "modified_ms"), ("ctime", "changed_ms")] {
        if let Some(time) = told.get(ours).cloned() {
            told.insert(theirs.into(), time);
        }
    }
    Value::Object(told)
}

fn entries(path: &Path) -> Result<Value, Fault> {
    let (entries, more) = list::names(path, ENTRIES)?;
    let told = entries.into_iter().map(|(entry, kind)| {
        let target = (kind == "link").then(|| std::fs::metadata(path.join(&entry)).ok()).flatten();
        name::tuple(&entry, kind, target.as_ref().map(stat::kind))
    });
    Ok(json!({"entries": told.collect::<Vec<_>>(), "more": more}))
}

/// Sends `{path, offset?, length?}` ahead of its answer.
async fn read(session: &Arc<Session>, id: u32, params: &Params) -> Result<Value, Fault> {
    let path = params.path("path")?;
    let (offset, length) = (params.number("offset")?.unwrap_or(0), params.number("length")?);
    let opened = path.clone();
    let (mut file, meta) = blocking(move || open::regular(&opened)).await?;
    let end = offset.saturating_add(length.unwrap_or(u64::MAX)).min(meta.size());
    let mut at = offset;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let (back, piece) = blocking(move || piece(file, at, wanted)).await;
        file = back;
        let piece = piece.at(&path)?;
        if piece.is_empty() {
            return Err(Fault::new("file.changed", format!("{} became shorter while it was read", path.display())));
        }
        at += piece.len() as u64;
        let sent = session.output.binary(Kind::AnswerBody, id, &piece).await;
        sent.map_err(|_| Fault::new("cancelled", "the session has ended"))?;
    }
    Ok(json!({"size": meta.size(), "etag": stat::tag(&meta)}))
}

fn piece(file: File, at: u64, wanted: usize) -> (File, std::io::Result<Vec<u8>>) {
    let mut bytes = vec![0; wanted];
    let read = file.read_at(&mut bytes, at).map(|length| {
        bytes.truncate(length);
        bytes
    });
    (file, read)
}

/// `{path, create, overwrite, atomic, append}`; without `create` and `overwrite` both are meant.
struct Writing {
    path: PathBuf,
    create: bool,
    overwrite: bool,
    atomic: bool,
    append: bool,
}

impl Writing {
    fn of(params: &Params) -> Result<Self, Fault> {
        let either = |name: &str| if params.0.contains_key(name) { params.flag(name) } else { Ok(true) };
        Ok(Self {
            path: params.path("path")?,
            create: either("create")?,
            overwrite: either("overwrite")?,
            atomic: params.flag("atomic")?,
            append: params.flag("append")?,
        })
    }

    fn write(self, body: Bytes) -> Result<Map<String, Value>, Fault> {
        let old = std::fs::metadata(&self.path).ok();
        match (&old, self.create, self.overwrite || self.append) {
            (None, false, _) => {
                return Err(Fault::new("file.not_found", format!("{} is not there", self.path.display())));
            }
            (Some(_), _, false) => {
                return Err(Fault::new("file.exists", format!("{} exists already", self.path.display())));
            }
            _ => {}
        }
        let linked = old.is_some_and(|old| old.is_file() && old.nlink() > 1);
        if self.append || (linked && !self.atomic) {
            return self.in_place(&body);
        }
        let expected = if self.overwrite { Expected::Anything } else { Expected::Nothing };
        match Draft::new(&self.path, None, expected) {
            Ok(draft) => draft.write(body)?.finish(),
            Err(fault) if fault.code == "file.permission" && !self.atomic => self.in_place(&body),
            Err(fault) => Err(fault),
        }
    }

    fn in_place(&self, body: &[u8]) -> Result<Map<String, Value>, Fault> {
        // Told apart first: opening a pipe for writing would wait for its reader.
        if std::fs::metadata(&self.path).is_ok_and(|meta| !meta.is_file()) {
            return Err(Fault::not_a_file(&self.path));
        }
        let mut options = File::options();
        options.create(self.create).append(self.append).write(true).truncate(!self.append);
        let mut file = options.open(&self.path).at(&self.path)?;
        file.write_all(body).at(&self.path)?;
        file.sync_all().at(&self.path)?;
        stat::of(&self.path)
    }
}
