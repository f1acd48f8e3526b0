//! Image files for [`Access::Volume`](crate::Access::Volume): made, copied and locked by the server, which needs no
//! privilege for it.
//!
//! An image is sparse: it takes the room of what is in it. Never opens what is *inside* one: a tenant wrote that, so it
//! is looked at by the kernel through a mount, or by `e2fsck` in a sandbox. Everything here may wait for a disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, SeekFrom};

use crate::spec::WORKLOAD_UID;

/// Smallest volume: below it a journal does not fit.
pub const MIN_BYTES: u64 = 32 << 20;

/// Where the programs of e2fsprogs are, also for those whose `PATH` has no `sbin`.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// How much is copied at a time.
const CHUNK: usize = 256 << 10;

/// Whether this machine has what [`make`] needs, or what to install.
pub fn tools() -> io::Result<()> {
    ["mkfs.ext4", "debugfs", "e2fsck", "resize2fs"].into_iter().try_for_each(|name| tool(name).map(drop))
}

fn tool(name: &str) -> io::Result<PathBuf> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is missing: install e2fsprogs")))
}

/// Makes an empty file system of `bytes` whose root belongs to the workload. Some ten milliseconds; make one and
/// [`copy`] it where somebody waits.
pub fn make(image: &Path, bytes: u64) -> io::Result<()> {
    if bytes < MIN_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a volume has at least {MIN_BYTES} bytes")));
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(image)?;
    file.set_len(bytes)?;
    // No reserve for root, who never comes here; a journal that suits a home; growing happens at rest, so no room is kept
    // for doing it live. A sparse file is zeros already.
    let journal = if bytes < 1 << 30 { "size=4" } else { "size=16" };
    let extended = format!(
        "lazy_itable_init=1,lazy_journal_init=1,nodiscard,assume_storage_prezeroed=1,root_owner={WORKLOAD_UID}:{WORKLOAD_UID}"
    );
    let options = ["-q", "-F", "-m", "0", "-b", "4096", "-J", journal, "-O", "^resize_inode", "-E", &extended];
    run(Command::new(tool("mkfs.ext4")?).args(options).arg(image))?;
    // It would belong to root, in a home. A check makes it again when it has something to put there.
    run(Command::new(tool("debugfs")?).args(["-w", "-R", "rmdir lost+found"]).arg(image))?;
    file.sync_all()
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.env_clear().env("LC_ALL", "C").stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{:?} failed: {said}", command.get_program())))
}

/// Copies an image that nothing has mounted: only what is in it, or, on a file system that can, nothing at all (a
/// reflink). The copy is there whole or not at all, and on disk when this returns.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    hold(&source, FlockOperation::NonBlockingLockShared)?;
    let part = to.with_extension("part");
    let copied = fill(&source, &part).and_then(|()| std::fs::rename(&part, to));
    if copied.is_err() {
        // What cannot be removed either is overwritten by the next attempt.
        let _ = std::fs::remove_file(&part);
    }
    copied
}

fn fill(source: &File, part: &Path) -> io::Result<()> {
    let target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part)?;
    if rustix::fs::ioctl_ficlone(&target, source).is_err() {
        target.set_len(source.metadata()?.len())?;
        copy_data(source, &target)?;
    }
    target.sync_all()
}

fn copy_data(source: &File, target: &File) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let start = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole is left.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(source, SeekFrom::Hole(start))?;
        at = start;
        while at < end {
            let length = (end - at).min(CHUNK as u64) as usize;
            source.read_exact_at(&mut buffer[..length], at)?;
            target.write_all_at(&buffer[..length], at)?;
            at += length as u64;
        }
    }
}

/// Keeps an image from being mounted for as long as the answer lives, and is refused while it is.
pub fn lock(image: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(image)?;
    hold(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn hold(file: &File, how: FlockOperation) -> io::Result<()> {
    rustix::fs::flock(file, how).map_err(|error| match error {
        rustix::io::Errno::WOULDBLOCK => {
            io::Error::new(io::ErrorKind::ResourceBusy, "the volume is in use: stop what uses it first")
        }
        error => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_volume_is_as_large_as_asked_and_takes_hardly_any_room() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one.img"), folder.path().join("two.img"));
        make(&one, 10 << 30).unwrap();
        copy(&one, &two).unwrap();
        for image in [&one, &two] {
            let meta = image.metadata().unwrap();
            assert_eq!((meta.len(), meta.mode() & 0o777), (10 << 30, 0o600));
            assert!(meta.blocks() * 512 < 1 << 20, "{} bytes", meta.blocks() * 512);
        }
        assert!(make(&one, 10 << 30).is_err(), "an image is never overwritten");
        assert!(make(&folder.path().join("small"), 1 << 20).is_err());
    }

    #[test]
    fn a_copy_holds_what_the_original_holds_with_its_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"near the end", 63 << 20).unwrap();
        file.write_all_at(&[7; 600 << 10], 4096).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap());
        assert!(to.metadata().unwrap().blocks() * 512 < 2 << 20);
    }

    #[test]
    fn a_volume_that_is_held_is_neither_held_again_nor_copied() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("one");
        File::create(&image).unwrap();
        let held = lock(&image).unwrap();
        assert_eq!(lock(&image).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        let error = copy(&image, &folder.path().join("two")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(!folder.path().join("two").exists() && !folder.path().join("two.part").exists());
        drop(held);
        copy(&image, &folder.path().join("two")).unwrap();
    }
}
