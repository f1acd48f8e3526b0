//! `POST /v1/archive`: an archive into a folder. It is received whole, looked at whole, unpacked beside its place, and only
//! then moved to it; what is refused leaves nothing behind.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::fs::{CWD, futimens, linkat, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use serde_json::json;

use super::check::Check;
use super::contents::{Item, ItemKind, each, refused};
use super::merge::merge;
use crate::activity::Input;
use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::body::{Consume, consume};
use crate::fault::{AtPath, Fault};
use crate::files::write::temporary_name;
use crate::params::Params;
use crate::tree::{self, Under};

pub(crate) async fn answer(attendant: Arc<Attendant>, request: Request<Incoming>) -> Answer {
    let path = Params::of_query(request.uri()).path("path")?;
    let folder = path.clone();
    let received = blocking(move || Received::new(&folder)).await?;
    let received = consume(request.into_body(), received).await?;
    attendant.activity.input(Input::File);
    let (files, bytes) = blocking(move || unpack(&received.file, &path)).await?;
    answer::json(&json!({"files": files, "bytes": bytes}))
}

/// The archive, in a file without a name: it is gone when we are.
struct Received {
    file: File,
    folder: PathBuf,
}

impl Received {
    fn new(folder: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(folder).at(folder)?;
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
                let named = folder.join(temporary_name());
                let file = File::options().read(true).write(true).create_new(true).open(&named).at(folder)?;
                std::fs::remove_file(&named).at(folder)?;
                file
            }
            other => File::from(other.at(folder)?),
        };
        Ok(Self { file, folder: folder.to_owned() })
    }
}

impl Consume for Received {
    fn take(mut self, piece: Bytes) -> Result<Self, Fault> {
        self.file.write_all(&piece).at(&self.folder)?;
        Ok(self)
    }
}

fn unpack(archive: &File, folder: &Path) -> Result<(u64, u64), Fault> {
    let mut check = Check::default();
    each(archive, &mut |mut item, _| check.item(&mut item))?;
    check.whole()?;
    let space = rustix::fs::statvfs(folder).at(folder)?;
    if check.bytes > space.f_bavail.saturating_mul(space.f_frsize) {
        let what = format!("the archive holds {} bytes, and there is no room for them", check.bytes);
        return Err(Fault::new("file.no_space", what));
    }
    let draft = folder.join(temporary_name());
    std::fs::create_dir(&draft).at(folder)?;
    let unpacked = extract(archive, &draft).and_then(|told| merge(&draft, folder).map(|()| told));
    // Best effort: its name says what it is.
    let _ = tree::remove(&draft);
    let told = unpacked?;
    File::open(folder).and_then(|folder| folder.sync_all()).at(folder)?;
    Ok(told)
}

/// Writes every entry below `draft`, which is empty and ours. Files and bytes.
fn extract(archive: &File, draft: &Path) -> Result<(u64, u64), Fault> {
    let mut places = Under::new(draft).at(draft)?;
    // The same look as before: nothing is believed of the first.
    let mut check = Check::default();
    let mut files = 0;
    each(archive, &mut |mut item, content| {
        check.item(&mut item)?;
        if !item.path.is_empty() {
            let path = draft.join(String::from_utf8_lossy(&item.path).as_ref());
            write(&mut places, &item, content).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => refused(error.to_string()),
                _ => Fault::file(&error, &path),
            })?;
            files += u64::from(matches!(item.kind, ItemKind::File(_)));
        }
        Ok(())
    })?;
    Ok((files, check.bytes))
}

fn write(places: &mut Under, item: &Item, content: &mut dyn Read) -> io::Result<()> {
    if let ItemKind::HardLink(first) = &item.kind {
        // Within the draft, by names that were looked at: through two open folders.
        let (source, first) = places.parent(first)?;
        let source = source.try_clone_to_owned()?;
        let (folder, name) = places.make_parent(&item.path)?;
        return Ok(linkat(source, first, folder, name, AtFlags::empty())?);
    }
    let (folder, name) = places.make_parent(&item.path)?;
    match &item.kind {
        ItemKind::Folder => match mkdirat(folder, name, Mode::from_raw_mode(item.mode & 0o777 | 0o700)) {
            Err(Errno::EXIST) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        },
        ItemKind::Link(target) => Ok(symlinkat(target.as_slice(), folder, name)?),
        ItemKind::File(size) => write_file(folder, name, item, (*size, content)),
        ItemKind::HardLink(_) => Ok(()),
    }
}

fn write_file(
    folder: BorrowedFd<'_>,
    name: &[u8],
    item: &Item,
    (size, content): (u64, &mut dyn Read),
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, Mode::from_raw_mode(item.mode & 0o777 | 0o600))?);
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut piece = vec![0; 64 << 10];
    let mut left = size;
    loop {
        let read = content.read(&mut piece).map_err(|error| invalid(&format!("the archive is broken: {error}")))?;
        match left.checked_sub(read as u64) {
            Some(rest) if read > 0 => left = rest,
            Some(0) => break,
            _ => return Err(invalid("the archive holds a file of another length than it says")),
        }
        file.write_all(&piece[..read])?;
    }
    if let Some(seconds) = item.modified {
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        futimens(&file, &Timestamps { last_access: time, last_modification: time })?;
    }
    Ok(())
}
