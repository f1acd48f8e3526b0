//! `POST /v1/snapshot`: the home as a stream, a piece at a time as its reader keeps up. Holes are left out, hard links are
//! told once, and what changes meanwhile is told as torn; what cannot be read is told and passed over.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use rustix::fs::{FileType, SeekFrom, Stat};
use serde::Deserialize;

use super::line::{Body, Entry, EntryKind, Line, PIECES, Piece};
use crate::answer::{self, Answer, PIECE, Produce};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::body::collect;
use crate::excludes::Excludes;
use crate::fault::{AtPath, Fault};
use crate::files::write::is_temporary;
use crate::params;
use crate::tree::{Found, Step, Walk, open_file};

/// Largest request: half a million known files.
const REQUEST: usize = 96 << 20;
/// Hard links that are remembered; further ones become files of their own.
const LINKS: usize = 200_000;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    root: Option<String>,
    excludes: Vec<String>,
    known: Vec<KnownFile>,
}

#[derive(Deserialize)]
struct KnownFile {
    path: String,
    #[serde(default)]
    path_b64: Option<String>,
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
    inode: u64,
}

/// What the asker has already, by hashes with keys of our own: small, and nobody can aim at them.
struct Known {
    hasher: (RandomState, RandomState),
    files: HashMap<u64, u64>,
}

pub(crate) async fn answer(attendant: &Arc<Attendant>, request: Request<Incoming>) -> Answer {
    let text = collect(request.into_body(), REQUEST).await?;
    let home = attendant.home.clone();
    let taking = blocking(move || {
        let wanted: Wanted = match text.is_empty() {
            true => Wanted::default(),
            false => serde_json::from_slice(&text)
                .map_err(|error| Fault::invalid(format!("the request for a snapshot: {error}")))?,
        };
        drop(text);
        Taking::new(wanted, home)
    });
    Ok(answer::with_type(StatusCode::OK, "application/x-darter-snapshot", answer::stream(taking.await?)))
}

impl Known {
    fn new(files: Vec<KnownFile>) -> Result<Self, Fault> {
        let mut known = Self { hasher: (RandomState::new(), RandomState::new()), files: HashMap::new() };
        known.files.reserve(files.len());
        for file in files {
            let path = match file.path_b64 {
                Some(encoded) => params::decode(&encoded)?,
                None => file.path.into_bytes(),
            };
            let print = (file.size, file.mtime_ns, file.ctime_ns, file.inode);
            let key = known.hasher.0.hash_one(&path);
            known.files.insert(key, known.hasher.1.hash_one((path, print)));
        }
        Ok(known)
    }

    fn has(&self, entry: &Entry) -> bool {
        let print = (entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode);
        let known = self.files.get(&self.hasher.0.hash_one(&entry.path));
        known == Some(&self.hasher.1.hash_one((&entry.path, print)))
    }
}

struct Taking {
    walk: Walk,
    device: u64,
    excludes: Excludes,
    known: Known,
    links: HashMap<(u64, u64), Vec<u8>>,
    reading: Option<Reading>,
    files: u64,
    bytes: u64,
    ended: bool,
}

/// A file whose bytes are being told.
struct Reading {
    file: File,
    size: u64,
    /// Still to be read of what the last line announced, next first.
    pieces: Vec<Piece>,
    /// From here on there may be more pieces than one line holds.
    beyond: Option<u64>,
    torn: bool,
}

impl Taking {
    fn new(wanted: Wanted, home: PathBuf) -> Result<Self, Fault> {
        let root = match wanted.root {
            Some(root) => params::absolute(root.into_bytes())?,
            None => home,
        };
        let walk = Walk::new(&root).at(&root)?;
        Ok(Self {
            walk,
            device: std::fs::metadata(&root).at(&root)?.dev(),
            excludes: Excludes::new(&wanted.excludes)?,
            known: Known::new(wanted.known)?,
            links: HashMap::new(),
            reading: None,
            files: 0,
            bytes: 0,
            ended: false,
        })
    }

    /// Tells the next entry; false: there is none.
    fn entry(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let Some(step) = self.walk.next()? else {
            out.extend(Line::End { files: self.files, bytes: self.bytes }.write());
            self.ended = true;
            return Ok(false);
        };
        let found = match step {
            Step::Entry(found) => found,
            // It was told as a folder already; what is in it cannot be.
            Step::Leave(_) | Step::Closed(..) => return Ok(true),
        };
        let path = Path::new(std::ffi::OsStr::from_bytes(&found.path));
        if is_temporary(std::ffi::OsStr::from_bytes(found.name.to_bytes())) || self.excludes.match_path(path) {
            self.walk.skip();
            return Ok(true);
        }
        if found.stat.st_dev != self.device {
            self.walk.skip();
        }
        out.extend(self.line(found).write());
        Ok(true)
    }

    fn line(&mut self, found: Found) -> Line {
        let kind = match found.kind() {
            FileType::RegularFile => return Line::Entry(self.file(found)),
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => self.link(&found).map_or(EntryKind::Other, EntryKind::Link),
            FileType::Fifo => EntryKind::Fifo,
            _ => EntryKind::Other,
        };
        Line::Entry(entry(found.path, kind, &found.stat, Body::None))
    }

    fn link(&mut self, found: &Found) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(self.walk.folder()?, &found.name, Vec::new())?.into_bytes())
    }

    fn file(&mut self, found: Found) -> Entry {
        let key = (found.stat.st_dev, found.stat.st_ino);
        if let Some(first) = self.links.get(&key) {
            return entry(found.path, EntryKind::HardLink(first.clone()), &found.stat, Body::None);
        }
        let told = entry(found.path.clone(), EntryKind::File, &found.stat, Body::Unchanged);
        self.files += 1;
        if found.stat.st_nlink > 1 && self.links.len() < LINKS {
            self.links.insert(key, found.path.clone());
        }
        if self.known.has(&told) {
            return told;
        }
        let opened = self.walk.folder().and_then(|folder| {
            let file = open_file(folder, &found.name)?;
            // As it is now, not as it was found.
            let stat = rustix::fs::fstat(&file)?;
            Ok((file, stat))
        });
        let Ok((file, stat)) = opened else {
            self.files -= 1;
            self.links.remove(&key);
            return entry(found.path, EntryKind::Other, &found.stat, Body::None);
        };
        let mut reading = Reading::new(file, &stat);
        let (body, data) = reading.announce(0);
        self.bytes += body;
        let dense = data.as_slice() == [(0, body)] && body == reading.size || reading.size == 0;
        let body = Body::Bytes(body, (!dense).then_some(data));
        self.reading = Some(reading);
        entry(found.path, EntryKind::File, &stat, body)
    }
}

fn entry(path: Vec<u8>, kind: EntryKind, stat: &Stat, body: Body) -> Entry {
    let nanos = |seconds: i64, nanos: u64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos.cast_signed());
    Entry {
        path,
        kind,
        mode: stat.st_mode & 0o7777,
        mtime_ns: nanos(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: nanos(stat.st_ctime, stat.st_ctime_nsec),
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        body,
    }
}

impl Reading {
    fn new(file: File, stat: &Stat) -> Self {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Self { file, size, pieces: Vec::new(), beyond: None, torn: false }
    }

    /// What the next line says of the file from `at` on: how many bytes, and where they belong.
    fn announce(&mut self, mut at: u64) -> (u64, Vec<Piece>) {
        let mut pieces: Vec<Piece> = Vec::new();
        self.beyond = None;
        while at < self.size {
            if pieces.len() == PIECES {
                self.beyond = Some(at);
                break;
            }
            // No data beyond: the rest is a hole.
            let Ok(start) = rustix::fs::seek(&self.file, SeekFrom::Data(at)) else { break };
            if start >= self.size {
                break;
            }
            // It became shorter in between: what was announced stays zero.
            let end = rustix::fs::seek(&self.file, SeekFrom::Hole(start)).unwrap_or(self.size).min(self.size);
            pieces.push((start, end - start));
            at = end;
        }
        self.pieces = pieces.iter().rev().copied().collect();
        (pieces.iter().map(|(_, length)| length).sum(), pieces)
    }

    /// Reads on, at most `most` bytes. False: all that was announced is told.
    fn read(&mut self, out: &mut Vec<u8>, most: usize) -> io::Result<bool> {
        let Some((offset, length)) = self.pieces.pop() else { return Ok(false) };
        let wanted = usize::try_from(length).unwrap_or(most).min(most);
        let start = out.len();
        out.resize(start + wanted, 0);
        let mut done = 0;
        while done < wanted {
            match self.file.read_at(&mut out[start + done..], offset + done as u64)? {
                // Shorter than it was: the rest stays zero.
                0 => {
                    self.torn = true;
                    break;
                }
                read => done += read,
            }
        }
        let (offset, length) = (offset + wanted as u64, length - wanted as u64);
        if length > 0 {
            self.pieces.push((offset, length));
        }
        Ok(true)
    }
}

impl Produce for Taking {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut out = Vec::with_capacity(PIECE);
        while out.len() < PIECE && !self.ended {
            let Some(mut reading) = self.reading.take() else {
                self.entry(&mut out)?;
                continue;
            };
            let most = PIECE.saturating_sub(out.len()).max(1);
            if reading.read(&mut out, most)? {
                self.reading = Some(reading);
            } else if let Some(at) = reading.beyond {
                let (body, data) = reading.announce(at);
                if body > 0 {
                    self.bytes += body;
                    out.extend(Line::More(body, data).write());
                }
                self.reading = Some(reading);
            } else if reading.torn {
                out.extend(Line::Torn.write());
            }
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }
}
