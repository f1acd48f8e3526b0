//! `GET /v1/archive`: a folder as an archive, made as its reader keeps up. Links are links; pipes and sockets are left out.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use rustix::fs::FileType;

use super::writer::{Content, Pipe, Writer};
use crate::answer::{self, Answer, PIECE, Produce};
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};
use crate::params::Params;
use crate::tree::{Found, Step, Walk, open_file};

pub(crate) async fn answer(request: Request<Incoming>) -> Answer {
    let params = Params::of_query(request.uri());
    let path = params.path("path")?;
    let pipe = Pipe::default();
    let (writer, kind, ending) = match params.text("format")?.unwrap_or("tar.gz") {
        "tar.gz" => (Writer::tar_gz(pipe.clone()), "application/gzip", "tar.gz"),
        "zip" => (Writer::zip(pipe.clone()), "application/zip", "zip"),
        other => return Err(Fault::invalid(format!("`{other}` is no format of an archive: tar.gz or zip"))),
    };
    // What unpacks it makes one folder, as whoever asked for it saw one.
    let top = PathBuf::from(path.file_name().unwrap_or(OsStr::new("files")));
    let name: String =
        top.to_string_lossy().chars().filter(|c| c.is_ascii_graphic() && !"\"\\/".contains(*c)).collect();
    let walk = blocking(move || Walk::new(&path).at(&path)).await?;
    let packing = Packing { walk, top, pipe, writer: Some(writer), reading: None };
    let mut response = answer::with_type(StatusCode::OK, kind, answer::stream(packing));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{ending}\""));
    response.headers_mut().extend(disposition.map(|value| (CONTENT_DISPOSITION, value)));
    Ok(response)
}

struct Packing {
    walk: Walk,
    top: PathBuf,
    pipe: Pipe,
    /// None once it is whole.
    writer: Option<Writer>,
    /// The file, how far it is read, and how long it was.
    reading: Option<(File, u64, u64)>,
}

impl Packing {
    /// Writes a little more; false: there is no more.
    fn go_on(&mut self) -> io::Result<bool> {
        let Some(writer) = &mut self.writer else { return Ok(false) };
        if let Some((file, at, size)) = &mut self.reading {
            let mut piece = vec![0; usize::try_from(*size - *at).unwrap_or(PIECE).min(PIECE)];
            // Shorter than it was: the rest is zeros.
            file.read_at(&mut piece, *at)?;
            writer.write(&piece)?;
            *at += piece.len() as u64;
            if at == size {
                writer.end_file()?;
                self.reading = None;
            }
            return Ok(true);
        }
        match self.walk.next()? {
            Some(Step::Entry(found)) => self.entry(&found)?,
            Some(_) => {}
            None => {
                if let Some(writer) = self.writer.take() {
                    writer.finish()?;
                }
            }
        }
        Ok(true)
    }

    fn entry(&mut self, found: &Found) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let path = self.top.join(Path::new(OsStr::from_bytes(&found.path)));
        match found.kind() {
            FileType::Directory => writer.begin(&path, &found.stat, &Content::Folder),
            FileType::Symlink => {
                let link =
                    self.walk.folder().and_then(|folder| Ok(rustix::fs::readlinkat(folder, &found.name, Vec::new())?));
                // It went away meanwhile.
                let Ok(link) = link else { return Ok(()) };
                writer.begin(&path, &found.stat, &Content::Link(Path::new(OsStr::from_bytes(link.as_bytes()))))
            }
            FileType::RegularFile => {
                let Ok(file) = self.walk.folder().and_then(|folder| open_file(folder, &found.name)) else {
                    return Ok(());
                };
                let stat = rustix::fs::fstat(&file)?;
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                writer.begin(&path, &stat, &Content::File(size))?;
                if size > 0 {
                    self.reading = Some((file, 0, size));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Produce for Packing {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut effort = 0;
        while self.pipe.len() < PIECE && effort < 64 {
            // What compresses well makes few bytes: a thread is held for a while, not until there are many.
            effort += 1;
            if !self.go_on()? {
                let rest = self.pipe.take();
                return Ok((!rest.is_empty()).then(|| rest.into()));
            }
        }
        Ok(Some(self.pipe.take().into()))
    }
}
