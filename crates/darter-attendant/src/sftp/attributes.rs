//! What SFTP tells of a file, and takes.

use std::fs::{File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, futimens, utimensat};

use super::wire::{Reader, Refused, Writer};

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const MORE: u32 = 1 << 31;

/// What a client wants a file to be. Whose it is stays: there is one user here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    size: Option<u64>,
    mode: Option<u32>,
    times: Option<(u32, u32)>,
}

impl Attributes {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Refused> {
        let flags = reader.u32()?;
        let mut read = Self::default();
        if flags & SIZE != 0 {
            read.size = Some(reader.u64()?);
        }
        if flags & OWNER != 0 {
            let _ = (reader.u32()?, reader.u32()?);
        }
        if flags & MODE != 0 {
            read.mode = Some(reader.u32()?);
        }
        if flags & TIMES != 0 {
            read.times = Some((reader.u32()?, reader.u32()?));
        }
        if flags & MORE != 0 {
            for _ in 0..reader.u32()? {
                let _ = (reader.bytes()?, reader.bytes()?);
            }
        }
        Ok(read)
    }

    /// The mode of a new file or folder, without the bits that change a user.
    pub(super) fn mode(&self, usual: u32) -> u32 {
        self.mode.map_or(usual, |mode| mode & 0o777)
    }

    fn stamps(&self) -> Option<Timestamps> {
        let at = |seconds: u32| Timespec { tv_sec: i64::from(seconds), tv_nsec: 0 };
        self.times.map(|(access, change)| Timestamps { last_access: at(access), last_modification: at(change) })
    }

    pub(super) fn set(&self, path: &Path) -> Result<(), Refused> {
        if let Some(size) = self.size {
            File::options().write(true).open(path)?.set_len(size)?;
        }
        if let Some(mode) = self.mode {
            std::fs::set_permissions(path, Permissions::from_mode(mode & 0o777))?;
        }
        if let Some(stamps) = self.stamps() {
            utimensat(CWD, path, &stamps, AtFlags::empty())?;
        }
        Ok(())
    }

    pub(super) fn set_open(&self, file: &File) -> Result<(), Refused> {
        if let Some(size) = self.size {
            file.set_len(size)?;
        }
        if let Some(mode) = self.mode {
            file.set_permissions(Permissions::from_mode(mode & 0o777))?;
        }
        if let Some(stamps) = self.stamps() {
            futimens(file, &stamps)?;
        }
        Ok(())
    }
}

/// Writes what a file is.
pub(super) fn write(writer: &mut Writer, meta: &Metadata) {
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    writer.u32(SIZE | OWNER | MODE | TIMES).u64(meta.size()).u32(meta.uid()).u32(meta.gid());
    writer.u32(meta.mode()).u32(seconds(meta.atime())).u32(seconds(meta.mtime()));
}
