//! The two forms of an archive, written a piece at a time into memory that is taken away as it fills.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::Stat;
use tar::{EntryType, Header};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// Most entries of a zip: its list of contents is kept until the end.
const ZIP_ENTRIES: usize = 200_000;

/// Where the archive's bytes wait to be sent.
#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) enum Writer {
    /// And the bytes that the file before still lacks to a whole block.
    TarGz(Box<tar::Builder<GzEncoder<Pipe>>>, usize),
    Zip(Box<ZipWriter<StreamWriter<Pipe>>>, usize),
}

/// What is written of an entry.
pub(super) enum Content<'a> {
    Folder,
    Link(&'a Path),
    /// Followed by exactly so many bytes through [`Writer::write`].
    File(u64),
}

impl Writer {
    pub(super) fn tar_gz(pipe: Pipe) -> Self {
        Self::TarGz(Box::new(tar::Builder::new(GzEncoder::new(pipe, Compression::fast()))), 0)
    }

    pub(super) fn zip(pipe: Pipe) -> Self {
        Self::Zip(Box::new(ZipWriter::new_stream(pipe)), 0)
    }

    pub(super) fn begin(&mut self, path: &Path, stat: &Stat, content: &Content<'_>) -> io::Result<()> {
        match self {
            Self::TarGz(builder, padding) => {
                *padding = 0;
                let mut header = Header::new_gnu();
                header.set_mode(stat.st_mode & 0o777);
                header.set_size(0);
                header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
                match content {
                    Content::Folder => header.set_entry_type(EntryType::Directory),
                    Content::Link(target) => {
                        header.set_entry_type(EntryType::Symlink);
                        return builder.append_link(&mut header, path, target);
                    }
                    Content::File(size) => {
                        header.set_size(*size);
                        *padding = usize::try_from(size.wrapping_neg() % 512).unwrap_or(0);
                    }
                }
                builder.append_data(&mut header, path, io::empty())
            }
            Self::Zip(zip, entries) => {
                *entries += 1;
                if *entries > ZIP_ENTRIES {
                    return Err(io::Error::other("too many entries for a zip; take a tar.gz"));
                }
                let options = SimpleFileOptions::default().unix_permissions(stat.st_mode & 0o777);
                let name = readable(path);
                match content {
                    Content::Folder => zip.add_directory(name, options)?,
                    Content::Link(target) => zip.add_symlink(name, readable(target), options)?,
                    Content::File(size) => {
                        let options = options.compression_method(CompressionMethod::Deflated);
                        zip.start_file(
                            name,
                            options.compression_level(Some(1)).large_file(*size >= u64::from(u32::MAX)),
                        )?;
                    }
                }
                Ok(())
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::TarGz(builder, _) => builder.get_mut().write_all(bytes),
            Self::Zip(zip, _) => zip.write_all(bytes),
        }
    }

    /// The file is whole.
    pub(super) fn end_file(&mut self) -> io::Result<()> {
        match self {
            Self::TarGz(builder, padding) => builder.get_mut().write_all(&[0; 512][..*padding]),
            Self::Zip(..) => Ok(()),
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::TarGz(builder, _) => builder.into_inner()?.finish()?,
            Self::Zip(zip, _) => zip.finish()?.into_inner(),
        };
        Ok(())
    }
}

/// Names in a zip are text: bytes that are none are written as `%FF`.
fn readable(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}
