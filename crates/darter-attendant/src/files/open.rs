//! Opening a file that may be anything: a pipe or a device must never make us wait, or be read for ever.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::fault::{AtPath, Fault};

/// A regular file, for reading.
pub(crate) fn regular(path: &Path) -> Result<(File, std::fs::Metadata), Fault> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).at(path)?);
    let meta = file.metadata().at(path)?;
    match meta.file_type() {
        kind if kind.is_dir() => Err(Fault::new("file.is_a_directory", format!("{} is a folder", path.display()))),
        kind if kind.is_file() => Ok((file, meta)),
        _ => Err(Fault::not_a_file(path)),
    }
}
