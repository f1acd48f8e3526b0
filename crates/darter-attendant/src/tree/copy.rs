//! Copying trees: links as links, modes and times kept, pipes and sockets left out.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps};
use rustix::fs::{mkdirat, openat, readlinkat, symlinkat, utimensat};
use rustix::io::Errno;

use super::{Step, Under, Walk, open_file};

/// Copies an entry to a name that is free.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let stat = rustix::fs::statat(CWD, from, AtFlags::SYMLINK_NOFOLLOW)?;
    match super::kind(stat.st_mode) {
        FileType::Directory => {
            mkdirat(CWD, to, Mode::RWXU)?;
            copy_folder(from, to)?;
            finish(CWD, to, &stat)
        }
        FileType::Symlink => Ok(symlinkat(readlinkat(CWD, from, Vec::new())?, CWD, to)?),
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let source = File::from(openat(CWD, from, flags, Mode::empty())?);
            copy_content(&source, &new_file(CWD, to)?)?;
            finish(CWD, to, &stat)
        }
        _ => Err(io::Error::other("is neither a file, a folder nor a link")),
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    let mut walk = Walk::new(from)?;
    let mut target = Under::new(to)?;
    while let Some(step) = walk.next()? {
        match step {
            Step::Entry(found) => {
                let (place, name) = target.parent(&found.path)?;
                match found.kind() {
                    // Writable by us until it is left.
                    FileType::Directory => mkdirat(place, name, Mode::RWXU)?,
                    FileType::Symlink => {
                        let link = readlinkat(walk.folder()?, &found.name, Vec::new())?;
                        symlinkat(link, place, name)?;
                    }
                    FileType::RegularFile => {
                        let source = open_file(walk.folder()?, &found.name)?;
                        copy_content(&source, &new_file(place, name)?)?;
                        finish(place, name, &found.stat)?;
                    }
                    _ => {}
                }
            }
            Step::Leave(found) => {
                let (place, name) = target.parent(&found.path)?;
                finish(place, name, &found.stat)?;
            }
            Step::Closed(_, error) => return Err(error),
        }
    }
    Ok(())
}

fn new_file(folder: impl AsFd, name: impl rustix::path::Arg) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(File::from(openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Mode (without what changes a user) and time.
fn finish(folder: impl AsFd, name: impl rustix::path::Arg + Copy, stat: &Stat) -> io::Result<()> {
    rustix::fs::chmodat(&folder, name, Mode::from_raw_mode(stat.st_mode & 0o1777), AtFlags::empty())?;
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Copies content, holes as holes.
pub(crate) fn copy_content(from: &File, to: &File) -> io::Result<()> {
    let size = from.metadata()?.len();
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        // It became shorter in between: what is there is copied.
        let end = rustix::fs::seek(from, SeekFrom::Hole(start)).unwrap_or(size);
        rustix::fs::seek(from, SeekFrom::Start(start))?;
        rustix::fs::seek(to, SeekFrom::Start(start))?;
        let mut piece = io::Read::take(from, end - start);
        io::copy(&mut piece, &mut { to })?;
        at = end;
    }
    to.set_len(size)
}
