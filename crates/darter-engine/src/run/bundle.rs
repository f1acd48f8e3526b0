//! Files on their way into a sandbox, and out of one: an archive in memory that nobody can change any more.
//!
//! Nothing of it is ever unpacked by the server.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path};

use darter_core::Fault;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// Most files of one program.
pub const MOST_FILES: usize = 100;
/// Longest path of one.
const PATH_LIMIT: usize = 200;
/// All seals: neither its length nor its content changes.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// A file in memory.
#[derive(Debug)]
pub struct Memory(File);

impl Memory {
    /// Empty, and open for writing.
    pub fn new(name: &str) -> std::io::Result<Self> {
        Ok(Self(File::from(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?)))
    }

    /// With this content, sealed.
    pub fn holding(content: &[u8]) -> std::io::Result<Self> {
        let mut memory = Self::new("input")?;
        memory.0.write_all(content)?;
        memory.seal()?;
        Ok(memory)
    }

    /// Forbids every change from now on.
    pub fn seal(&mut self) -> std::io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        Ok(fcntl_add_seals(&self.0, SEALS)?)
    }

    /// Another descriptor of it for a sandbox, at its beginning.
    pub fn share(&self) -> std::io::Result<OwnedFd> {
        Ok(File::open(format!("/proc/self/fd/{}", self.0.as_raw_fd()))?.into())
    }

    /// The same, for a sandbox that fills it.
    pub fn share_to_write(&self) -> std::io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// All of it.
    pub fn read(&self) -> std::io::Result<Vec<u8>> {
        std::fs::read(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Bytes in it.
    pub fn size(&self) -> std::io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Checks what somebody calls a file: a path that leads down only, without a surprise for a shell or a terminal.
pub fn check_path(path: &str) -> Result<(), Fault> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let shown = path.chars().all(|char| !char.is_control()) && !path.starts_with('-') && !path.contains("/-");
    if plain && shown && !path.is_empty() && path.len() <= PATH_LIMIT && !path.ends_with('/') {
        return Ok(());
    }
    let message = format!(
        "\"{}\" cannot be a file's name: a path of at most {PATH_LIMIT} bytes is needed that leads down only and does not begin with a hyphen.",
        path.chars().take(PATH_LIMIT).collect::<String>().escape_debug()
    );
    Err(Fault::invalid("run.file_invalid", message))
}

/// Packs these files. Their paths were checked.
pub fn pack(files: &[(String, Vec<u8>)]) -> std::io::Result<Memory> {
    let memory = Memory::new("files")?;
    let mut archive = tar::Builder::new(memory.0);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_slice())?;
    }
    let mut memory = Memory(archive.into_inner()?);
    memory.seal()?;
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_packed_can_be_read_many_times_and_never_changed() {
        let memory = pack(&[("a/b.txt".into(), b"hello".to_vec())]).unwrap();
        for _ in 0..2 {
            let mut archive = tar::Archive::new(File::from(memory.share().unwrap()));
            let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            assert_eq!((entry.path().unwrap().to_str(), text.as_str()), (Some("a/b.txt"), "hello"));
        }
        assert!(File::from(memory.share_to_write().unwrap()).write_all(b"x").is_err());
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for good in ["main.py", "src/a b.c", "ü.txt"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in ["", "/etc/x", "../x", "a/../x", "a//", "-rf", "a/-x", "a\nb", "a\0b", ".", &"x".repeat(201)] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }
}
