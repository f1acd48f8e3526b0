//! `PUT /v1/files`: a file's new content, all of it or nothing. Written beside the old one, made last, then renamed.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use rustix::fs::RenameFlags;

use super::stat;
use crate::activity::Input;
use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::body::{self, Consume};
use crate::fault::{AtPath, Fault};
use crate::params::{self, Params};

/// What may be there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Anything,
    Nothing,
    /// This version of it.
    Tag(String),
    /// Some version of it.
    Something,
}

/// A file that is being written under a name of its own.
pub(crate) struct Draft {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    expected: Expected,
    finished: bool,
}

pub(crate) async fn answer(attendant: Arc<Attendant>, request: Request<Incoming>) -> Answer {
    let params = Params::of_query(request.uri());
    let path = params.path("path")?;
    let mode = params.text("mode")?.map(|text| u32::from_str_radix(text, 8)).transpose();
    let mode = mode.map_err(|_| Fault::invalid("`mode` is an octal number such as 644"))?;
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let expected = match (header(IF_MATCH), header(IF_NONE_MATCH)) {
        (Some("*"), _) => Expected::Something,
        (Some(tag), _) => Expected::Tag(tag.to_owned()),
        (None, Some("*")) => Expected::Nothing,
        (None, Some(_)) => return Err(Fault::invalid("If-None-Match is `*` here: only when there is no file yet")),
        (None, None) => Expected::Anything,
    };
    let draft = blocking(move || Draft::new(&path, mode, expected)).await?;
    let draft = body::consume(request.into_body(), draft).await?;
    attendant.activity.input(Input::File);
    answer::json(&blocking(move || draft.finish()).await?)
}

impl Draft {
    /// `mode`: of a new file (an old one's stays), without the bits that change a user.
    pub(crate) fn new(path: &Path, mode: Option<u32>, expected: Expected) -> Result<Self, Fault> {
        // As a shell's `>` does: a link to a file is written through, never replaced.
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (folder, _) = params::last(&target)?;
        let old = std::fs::metadata(&target).ok();
        if let Some(old) = &old
            && !old.is_file()
        {
            let folder = Fault::new("file.is_a_directory", format!("{} is a folder", path.display()));
            return Err(if old.is_dir() { folder } else { Fault::not_a_file(path) });
        }
        check(&target, &expected)?;
        let temporary = folder.join(temporary_name());
        let file = File::options().write(true).create_new(true).open(&temporary).at(path)?;
        let draft = Self { file, temporary, target, expected, finished: false };
        let mode = mode.or_else(|| old.map(|old| old.permissions().mode()));
        if let Some(mode) = mode {
            draft.file.set_permissions(Permissions::from_mode(mode & 0o777)).at(path)?;
        }
        Ok(draft)
    }

    pub(crate) fn write(mut self, bytes: Bytes) -> Result<Self, Fault> {
        self.file.write_all(&bytes).at(&self.target)?;
        Ok(self)
    }

    /// The new file as [`stat::of`] tells it.
    pub(crate) fn finish(mut self) -> Result<serde_json::Map<String, serde_json::Value>, Fault> {
        self.file.sync_all().at(&self.target)?;
        check(&self.target, &self.expected)?;
        let flags = if self.expected == Expected::Nothing { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
        let here = rustix::fs::CWD;
        match rustix::fs::renameat_with(here, &self.temporary, here, &self.target, flags) {
            // A file system that cannot tell: the look above has to do.
            Err(rustix::io::Errno::INVAL) if !flags.is_empty() => {
                std::fs::rename(&self.temporary, &self.target).at(&self.target)?;
            }
            other => other.at(&self.target)?,
        }
        self.finished = true;
        sync_folder(&self.target)?;
        stat::of(&self.target)
    }
}

impl Consume for Draft {
    fn take(self, piece: Bytes) -> Result<Self, Fault> {
        self.write(piece)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing is left behind; when even that fails the name says what it is.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Nobody else's, and known as ours when it is found.
pub(crate) fn temporary_name() -> String {
    format!(".darter-{}.part", getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())))
}

/// Is it one of [`temporary_name`]?
pub(crate) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".darter-") && name.ends_with(b".part")
}

fn sync_folder(target: &Path) -> Result<(), Fault> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).at(folder)
}

fn check(target: &Path, expected: &Expected) -> Result<(), Fault> {
    let now = || std::fs::metadata(target).ok().map(|meta| stat::tag(&meta));
    let fits = match expected {
        Expected::Anything => true,
        Expected::Something => now().is_some(),
        Expected::Nothing => {
            let there = std::fs::symlink_metadata(target).is_ok();
            return if there {
                Err(Fault::new("file.exists", format!("{} exists already", target.display())))
            } else {
                Ok(())
            };
        }
        Expected::Tag(tag) => now().as_ref() == Some(tag),
    };
    if fits {
        return Ok(());
    }
    let what = format!("{} was changed by somebody else meanwhile; read it again", target.display());
    Err(Fault::new("file.changed", what))
}
