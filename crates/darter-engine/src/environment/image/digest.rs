//! Digests of an image's parts, and reading that checks them. Nothing of an image counts before its digest was checked.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::OFlags;
use sha2::digest::DynDigest;

/// `sha256:…` or `sha512:…`, in lower case, as a name of a file may be made of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length = match text.split_once(':') {
            Some(("sha256", hex)) => (hex.len() == 64).then_some(hex),
            Some(("sha512", hex)) => (hex.len() == 128).then_some(hex),
            _ => None,
        };
        let plain = |hex: &str| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match length.is_some_and(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not a digest of the form sha256:… or sha512:…")),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Digest {
    /// Its place in a layout.
    pub fn place(&self) -> PathBuf {
        Path::new("blobs").join(self.0.replacen(':', "/", 1))
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        let end = self.0.find(':').map_or(0, |at| at + 13);
        &self.0[..end]
    }

    /// Is this what it names?
    pub fn check(&self, content: &[u8]) -> Result<(), String> {
        let mut hash = self.hasher();
        hash.update(content);
        let found = hex(&hash.finalize());
        match self.0.split_once(':').is_some_and(|(_, wanted)| wanted == found) {
            true => Ok(()),
            false => Err(format!("{self} names something else; this has the hash {found}")),
        }
    }

    fn hasher(&self) -> Box<dyn DynDigest + Send> {
        match self.0.starts_with("sha256:") {
            true => Box::new(sha2::Sha256::default()),
            false => Box::new(sha2::Sha512::default()),
        }
    }

    #[cfg(test)]
    pub fn of(bytes: &[u8]) -> Self {
        let hash = <sha2::Sha256 as sha2::Digest>::digest(bytes);
        Self(format!("sha256:{}", hex(&hash)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A blob that is being read: exactly as long as promised, and checked when [`Blob::finish`] says so.
pub struct Blob {
    file: io::Take<File>,
    hash: Box<dyn DynDigest + Send>,
    digest: Digest,
}

impl Blob {
    /// Opens a blob of the layout in `folder`. A pipe in its place does not make us wait.
    pub fn open(folder: &Path, digest: &Digest, size: u64) -> io::Result<Self> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(folder.join(digest.place()));
        let file = file.map_err(|error| io::Error::new(error.kind(), format!("{digest}: {error}")))?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() != size {
            return Err(torn(format!("{digest} has {} bytes, not {size}", meta.len())));
        }
        Ok(Self { file: file.take(size), hash: digest.hasher(), digest: digest.clone() })
    }

    /// Reads what is left, and says whether all of it was what was promised.
    pub fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        let found = hex(&self.hash.finalize());
        match self.digest.0.split_once(':').is_some_and(|(_, wanted)| wanted == found) {
            true => Ok(()),
            false => {
                Err(torn(format!("{} is not what its name promises: its content has the hash {found}", self.digest)))
            }
        }
    }

    /// All of a small one, checked.
    pub fn whole(mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.read_to_end(&mut content)?;
        self.finish().map(|()| content)
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

fn torn(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_plain_name_or_none() {
        let good = Digest::of(b"x");
        assert_eq!(good.to_string().parse::<Digest>(), Ok(good.clone()));
        assert_eq!(good.place().components().count(), 3);
        for bad in ["", "sha256:", "sha256:../../etc/passwd", "md5:00", &format!("sha256:{}", "G".repeat(64))] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_blob_is_taken_only_if_it_is_what_was_promised() {
        let layout = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
        let digest = Digest::of(b"content");
        let write = |content: &[u8]| std::fs::write(layout.path().join(digest.place()), content).unwrap();
        write(b"content");
        assert_eq!(Blob::open(layout.path(), &digest, 7).unwrap().whole().unwrap(), b"content");
        assert!(Blob::open(layout.path(), &digest, 8).is_err());
        write(b"c0ntent");
        assert!(Blob::open(layout.path(), &digest, 7).unwrap().whole().is_err());
        assert!(Blob::open(layout.path(), &Digest::of(b"other"), 7).is_err());
    }
}
