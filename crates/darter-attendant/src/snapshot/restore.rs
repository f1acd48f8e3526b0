//! `POST /v1/restore`: a snapshot's stream written back. Each file is made beside its place and renamed; a link is never
//! written through; what the sandbox may not make (bits that change a user) is left out.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::Request;
use hyper::body::Incoming;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::fs::{chmodat, linkat, mkdirat, mknodat, openat, renameat, statat, symlinkat, unlinkat, utimensat};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::json;

use super::line::{Body, Entry, EntryKind, LINE, Line, Piece};
use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::body::{Consume, consume};
use crate::fault::{AtPath, Fault};
use crate::files::write::temporary_name;
use crate::params;
use crate::tree::{self, Under};

/// The first line, when it is none of a snapshot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    root: Option<String>,
    #[serde(default)]
    clear: bool,
}

pub(crate) async fn answer(attendant: &Arc<Attendant>, request: Request<Incoming>) -> Answer {
    let restoring = Restoring::new(attendant.home.clone());
    let restoring = consume(request.into_body(), restoring).await?;
    let (files, bytes) = blocking(move || restoring.finish()).await?;
    answer::json(&json!({"files": files, "bytes": bytes}))
}

struct Restoring {
    root: PathBuf,
    /// Once the first line is read.
    places: Option<Places>,
    line: Vec<u8>,
    writing: Option<Writing>,
    /// Folders that are open to more: their modes and times come when they are left.
    open: Open,
    files: u64,
    bytes: u64,
    end: Option<(u64, u64)>,
}

/// The folders that are being filled, each in the one before: one path leads to all of them.
#[derive(Default)]
struct Open {
    path: Vec<u8>,
    /// How much of the path leads there, mode, and time of change.
    folders: Vec<(usize, u32, i64)>,
}

impl Open {
    /// The innermost, when `path` is not in it.
    fn left_by(&mut self, path: &[u8]) -> Option<(Vec<u8>, u32, i64)> {
        let (length, mode, mtime) = *self.folders.last()?;
        let folder = &self.path[..length];
        if path.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&b'/')) {
            return None;
        }
        self.folders.pop();
        Some((folder.to_vec(), mode, mtime))
    }

    fn enter(&mut self, entry: &Entry) {
        self.path.clone_from(&entry.path);
        self.folders.push((entry.path.len(), entry.mode, entry.mtime_ns));
    }
}

struct Places {
    at: Under,
    /// For the other end of hard links.
    sources: Under,
}

/// The file that is being written.
struct Writing {
    file: File,
    temporary: String,
    entry: Entry,
    /// What comes next, next first.
    pieces: Vec<Piece>,
    /// There may be more of it.
    left: u64,
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new("snapshot.refused", message)
}

impl Restoring {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            places: None,
            line: Vec::new(),
            writing: None,
            open: Open::default(),
            files: 0,
            bytes: 0,
            end: None,
        }
    }

    fn feed(&mut self, mut piece: Bytes) -> Result<(), Fault> {
        while piece.has_remaining() {
            if self.end.is_some() {
                return Err(refused("something follows the end of the snapshot"));
            }
            match &mut self.writing {
                Some(writing) if writing.left > 0 => {
                    let taken = writing.write(&piece);
                    let taken = taken.at(&self.root.join(lossy(&writing.entry.path)))?;
                    self.bytes += taken as u64;
                    piece.advance(taken);
                }
                _ => {
                    let end = piece.iter().position(|byte| *byte == b'\n');
                    let part = piece.split_to(end.map_or(piece.len(), |end| end + 1));
                    self.line.extend_from_slice(&part);
                    if self.line.len() > LINE {
                        return Err(refused(format!("a line has at most {LINE} bytes")));
                    }
                    if self.line.last() == Some(&b'\n') {
                        let line = std::mem::take(&mut self.line);
                        self.obey(&line[..line.len() - 1])?;
                    }
                }
            }
        }
        Ok(())
    }

    fn obey(&mut self, line: &[u8]) -> Result<(), Fault> {
        if self.places.is_none() {
            let head = serde_json::from_slice::<Head>(line);
            let is_head = head.is_ok();
            self.begin(head.ok())?;
            if is_head {
                return Ok(());
            }
        }
        match Line::read(line).map_err(refused)? {
            Line::Entry(entry) => {
                self.complete()?;
                let path = self.root.join(lossy(&entry.path));
                self.leave(&entry.path).at(&path)?;
                self.entry(entry, &path)
            }
            Line::More(length, pieces) => match &mut self.writing {
                Some(writing) if writing.fits(&pieces) => {
                    writing.left = length;
                    writing.pieces = pieces.into_iter().rev().collect();
                    Ok(())
                }
                _ => Err(refused("more of a file that is not there, or beyond its end")),
            },
            Line::Torn => Ok(()),
            Line::End { files, bytes } => {
                self.complete()?;
                self.end = Some((files, bytes));
                Ok(())
            }
        }
    }

    fn begin(&mut self, head: Option<Head>) -> Result<(), Fault> {
        let (root, clear) = head.map_or((None, false), |head| (head.root, head.clear));
        if let Some(root) = root {
            self.root = params::absolute(root.into_bytes())?;
        }
        std::fs::create_dir_all(&self.root).at(&self.root)?;
        if clear {
            tree::clear(&self.root).at(&self.root)?;
        }
        let under = || Under::new(&self.root).at(&self.root);
        self.places = Some(Places { at: under()?, sources: under()? });
        Ok(())
    }

    /// Makes one entry; a file's content is still to come.
    fn entry(&mut self, entry: Entry, path: &Path) -> Result<(), Fault> {
        let Some(places) = &mut self.places else { return Err(refused("an entry before the beginning")) };
        let (folder, name) = places.at.make_parent(&entry.path).at(path)?;
        match &entry.kind {
            EntryKind::Directory => {
                make_folder(folder, name).at(path)?;
                self.open.enter(&entry);
                return Ok(());
            }
            EntryKind::File => {
                let Body::Bytes(left, data) = &entry.body else {
                    return Err(refused(format!("the content of {} is missing", path.display())));
                };
                let temporary = temporary_name();
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = File::from(openat(folder, &temporary, flags, Mode::RUSR | Mode::WUSR).at(path)?);
                let pieces = data.clone().unwrap_or_else(|| vec![(0, *left)]).into_iter().rev().collect();
                let left = *left;
                self.writing = Some(Writing { file, temporary, entry, pieces, left });
                return Ok(());
            }
            EntryKind::Link(link) => {
                let temporary = temporary_name();
                symlinkat(link.as_slice(), folder, &temporary).at(path)?;
                set_times(folder, temporary.as_bytes(), entry.mtime_ns).at(path)?;
                place(folder, temporary.as_bytes(), name).at(path)?;
            }
            EntryKind::HardLink(first) => {
                let temporary = temporary_name();
                let (source, first) = places.sources.parent(first).at(path)?;
                linkat(source, first, folder, &temporary, AtFlags::empty()).at(path)?;
                place(folder, temporary.as_bytes(), name).at(path)?;
            }
            EntryKind::Fifo => {
                let temporary = temporary_name();
                let mode = Mode::from_raw_mode(entry.mode & 0o777);
                mknodat(folder, &temporary, FileType::Fifo, mode, 0).at(path)?;
                set_times(folder, temporary.as_bytes(), entry.mtime_ns).at(path)?;
                place(folder, temporary.as_bytes(), name).at(path)?;
            }
            EntryKind::Other => return Ok(()),
        }
        Ok(())
    }

    /// The file that was being written is whole: it takes its place.
    fn complete(&mut self) -> Result<(), Fault> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let Some(places) = &mut self.places else { return Ok(()) };
        let Writing { file, temporary, entry, .. } = writing;
        let path = self.root.join(lossy(&entry.path));
        file.set_len(entry.size).at(&path)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode & 0o1777)).at(&path)?;
        rustix::fs::futimens(&file, &times(entry.mtime_ns)).at(&path)?;
        let (folder, name) = places.at.parent(&entry.path).at(&path)?;
        place(folder, temporary.as_bytes(), name).at(&path)?;
        self.files += 1;
        Ok(())
    }

    /// Finishes the folders that `path` is not in.
    fn leave(&mut self, path: &[u8]) -> io::Result<()> {
        while let Some((folder, mode, mtime)) = self.open.left_by(path) {
            let Some(places) = &mut self.places else { return Ok(()) };
            let (parent, name) = places.at.parent(&folder)?;
            chmodat(parent, name, Mode::from_raw_mode(mode & 0o1777), AtFlags::empty())?;
            set_times(parent, name, mtime)?;
        }
        Ok(())
    }

    /// Files and bytes, once all of it is on the disk.
    fn finish(mut self) -> Result<(u64, u64), Fault> {
        let Some((files, bytes)) = self.end else { return Err(refused("the snapshot has no end: it was cut off")) };
        if files != self.files || bytes != self.bytes {
            let seen = format!("{} files and {} bytes", self.files, self.bytes);
            return Err(refused(format!("the snapshot says {files} files and {bytes} bytes, and has {seen}")));
        }
        self.leave(b"").at(&self.root)?;
        let root = File::open(&self.root).at(&self.root)?;
        match rustix::fs::syncfs(&root) {
            // Whoever refuses it here syncs the volume from outside.
            Err(Errno::PERM | Errno::NOSYS) => {}
            other => other.at(&self.root)?,
        }
        Ok((files, bytes))
    }
}

impl Consume for Restoring {
    fn take(mut self, piece: Bytes) -> Result<Self, Fault> {
        self.feed(piece)?;
        Ok(self)
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if let (Some(writing), Some(places)) = (self.writing.take(), &mut self.places)
            && let Ok((folder, _)) = places.at.parent(&writing.entry.path)
        {
            // Best effort: its name says what it is.
            let _ = unlinkat(folder, &writing.temporary, AtFlags::empty());
        }
    }
}

impl Writing {
    /// Writes what belongs to the piece that is next.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some((offset, length)) = self.pieces.pop() else {
            return Err(io::Error::other("bytes that belong nowhere"));
        };
        let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        self.file.write_all_at(&bytes[..wanted], offset)?;
        let (offset, length) = (offset + wanted as u64, length - wanted as u64);
        if length > 0 {
            self.pieces.push((offset, length));
        }
        self.left -= wanted as u64;
        Ok(wanted)
    }

    fn fits(&self, pieces: &[Piece]) -> bool {
        self.left == 0 && pieces.iter().all(|(offset, length)| offset + length <= self.entry.size)
    }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn times(mtime_ns: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime_ns.div_euclid(1_000_000_000), tv_nsec: mtime_ns.rem_euclid(1_000_000_000) };
    Timestamps { last_access: time, last_modification: time }
}

fn set_times(folder: BorrowedFd<'_>, name: &[u8], mtime_ns: i64) -> io::Result<()> {
    Ok(utimensat(folder, name, &times(mtime_ns), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// A folder that we can work in, whatever was there.
fn make_folder(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match mkdirat(folder, name, Mode::RWXU) {
        Err(Errno::EXIST) => {
            if tree::kind(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) == FileType::Directory {
                return Ok(chmodat(folder, name, Mode::RWXU, AtFlags::empty())?);
            }
            tree::remove_at(folder, name)?;
            Ok(mkdirat(folder, name, Mode::RWXU)?)
        }
        other => Ok(other?),
    }
}

/// Moves a draft to its place, whatever is there.
fn place(folder: BorrowedFd<'_>, temporary: &[u8], name: &[u8]) -> io::Result<()> {
    match renameat(folder, temporary, folder, name) {
        Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
            tree::remove_at(folder, name)?;
            Ok(renameat(folder, temporary, folder, name)?)
        }
        Err(error) => {
            // Best effort: its name says what it is.
            let _ = unlinkat(folder, temporary, AtFlags::empty());
            Err(error.into())
        }
        // Two names of one file: the rename did nothing.
        Ok(()) => match unlinkat(folder, temporary, AtFlags::empty()) {
            Err(Errno::NOENT) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}
