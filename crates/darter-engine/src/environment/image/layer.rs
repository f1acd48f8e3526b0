//! One layer of an image: a packed tar archive of what changes. Every entry is hostile until checked.
//!
//! Semantics as in the image specification, and as containerd and umoci apply layers: folders merge, everything else
//! replaces; `.wh.<name>` and `.wh..wh..opq` take away what layers below have put there. Owners, extended attributes,
//! set-user-id bits and devices are left behind: here all of it belongs to one account and is only ever read.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use darter_sandbox::WORKLOAD_UID;
use tar::EntryType;

use super::tree::{Look, Tree, odd, plain};

/// Longest name, and longest set of a pax header.
const NAME: u64 = 4_096;
const PAX: u64 = 1 << 20;
/// Entries of an image; as many as an environment may have files.
const ENTRIES: u64 = 1_000_000;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// As the layer's media type says, of the specification's kind or of Docker's.
    pub fn of(media_type: &str) -> Result<Self, String> {
        let is_tar = media_type.contains(".layer.") || media_type.contains(".rootfs.");
        match media_type.rsplit_once("tar").map(|(_, rest)| rest) {
            Some("") if is_tar => Ok(Self::Plain),
            Some("+gzip" | ".gzip") if is_tar => Ok(Self::Gzip),
            Some("+zstd" | ".zstd") if is_tar => Ok(Self::Zstd),
            _ => Err(format!("a layer of the type {media_type:?} cannot be unpacked")),
        }
    }

    fn unpack<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(packed),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(packed))),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
        })
    }
}

/// What an image may still take.
#[derive(Debug)]
pub struct Budget {
    bytes: Cell<u64>,
    entries: u64,
    mib: u64,
}

impl Budget {
    pub fn of_mib(mib: u64) -> Self {
        Self { bytes: Cell::new(mib << 20), entries: ENTRIES, mib }
    }

    fn spend(&mut self) -> io::Result<()> {
        self.entries =
            self.entries.checked_sub(1).ok_or_else(|| io::Error::other("it has more than a million entries"))?;
        Ok(())
    }

    /// In place of the reader's own words, when it was this that ended it.
    fn explain(&self, error: io::Error) -> io::Error {
        match self.bytes.get() {
            0 => {
                io::Error::other(format!("it is larger than {} MiB unpacked (`mib` in the recipe's [image])", self.mib))
            }
            _ => error,
        }
    }
}

/// Ends with an error when the budget is spent.
struct Bounded<'a, R> {
    inner: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("the budget is spent"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.inner.read(&mut buffer[..most])?;
        self.left.set(left - length as u64);
        Ok(length)
    }
}

/// Lays a layer over what is in the tree.
pub fn apply(packed: impl Read, packing: Packing, tree: &mut Tree, budget: &mut Budget) -> io::Result<()> {
    tree.next_layer();
    let left = Cell::new(budget.bytes.get());
    let applied = apply_within(Bounded { inner: packing.unpack(packed)?, left: &left }, tree, budget);
    budget.bytes.set(left.get());
    applied.map_err(|error| budget.explain(error))
}

fn apply_within(content: impl Read, tree: &mut Tree, budget: &mut Budget) -> io::Result<()> {
    let mut archive = tar::Archive::new(content);
    let mut said = Said::default();
    // Raw: the library would read a name of any length into memory.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        budget.spend()?;
        match entry.header().entry_type() {
            EntryType::GNULongName => said.path = Some(name(&mut entry)?),
            EntryType::GNULongLink => said.link = Some(name(&mut entry)?),
            EntryType::XHeader => said.hear(&small(&mut entry, PAX)?)?,
            EntryType::XGlobalHeader => {}
            kind => put(kind, std::mem::take(&mut said).of(entry.header())?, &mut entry, tree)?,
        }
    }
    Ok(())
}

/// What headers say of the entry that follows.
#[derive(Default)]
struct Said {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    mtime: Option<i64>,
    sparse: bool,
}

/// An entry, but for its content.
struct Meta {
    path: Vec<u8>,
    link: Vec<u8>,
    size: u64,
    look: Look,
}

impl Said {
    /// Reads a pax header: `<length> <key>=<value>\n`, where a value may hold anything.
    fn hear(&mut self, mut text: &[u8]) -> io::Result<()> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "a pax header cannot be read");
        while !text.is_empty() {
            let space = text.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
            let length = std::str::from_utf8(&text[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let length = length.filter(|length| (space + 2..=text.len()).contains(length)).ok_or_else(broken)?;
            let (record, rest) = text.split_at(length);
            let record = record[space + 1..].strip_suffix(b"\n").ok_or_else(broken)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            self.note(&record[..equals], &record[equals + 1..]);
            text = rest;
        }
        Ok(())
    }

    fn note(&mut self, key: &[u8], value: &[u8]) {
        let text = std::str::from_utf8(value).unwrap_or_default();
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(text.parse().unwrap_or(u64::MAX)),
            b"mtime" => self.mtime = text.split('.').next().and_then(|seconds| seconds.parse().ok()),
            _ => self.sparse |= key.starts_with(b"GNU.sparse."),
        }
    }

    fn of(self, header: &tar::Header) -> io::Result<Meta> {
        let path = self.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let refuse = |what| Err(odd(Path::new(OsStr::from_bytes(&path)), what));
        if self.sparse || header.entry_type() == EntryType::GNUSparse {
            return refuse("sparse files cannot be unpacked");
        }
        // Two readers that believe different sizes see different archives.
        if self.size.is_some_and(|size| header.entry_size().ok() != Some(size)) {
            return refuse("its size is more than a tar header can hold (8 GiB), or is given twice");
        }
        let link = self.link.or_else(|| header.link_name_bytes().map(|name| name.into_owned())).unwrap_or_default();
        let mtime = self.mtime.or_else(|| header.mtime().ok().and_then(|mtime| i64::try_from(mtime).ok()));
        let look = Look { mode: mode(header), mtime: mtime.unwrap_or(0).max(0) };
        Ok(Meta { path, link, size: header.entry_size()?, look })
    }
}

/// Nobody writes to it and nobody becomes another through it. What belongs to the workload's own id in the image is as
/// readable here as it is for its owner there.
fn mode(header: &tar::Header) -> u32 {
    let mode = header.mode().unwrap_or(0o644);
    let owners = if header.uid().is_ok_and(|uid| uid == u64::from(WORKLOAD_UID)) { mode >> 6 & 0o5 } else { 0 };
    (mode | owners) & 0o755
}

fn put(kind: EntryType, meta: Meta, content: &mut impl Read, tree: &mut Tree) -> io::Result<()> {
    let path = plain(&meta.path)?;
    let mut names = path.iter().rev().map(|name| name.to_str().unwrap_or_default());
    let last = names.next().unwrap_or_default();
    // What an older kind of layer keeps for itself.
    if names.any(|name| name.starts_with(WHITEOUT)) || (last.starts_with(".wh..wh.") && last != OPAQUE) {
        return Ok(());
    }
    if last == OPAQUE {
        return tree.opaque(path.parent().unwrap_or(Path::new("")));
    }
    if let Some(gone) = last.strip_prefix(WHITEOUT) {
        return match gone {
            "" | "." | ".." => Err(odd(&path, "it takes away nothing that has a name")),
            gone => tree.whiteout(&path.with_file_name(gone)),
        };
    }
    match kind {
        EntryType::Directory => tree.folder(&path, meta.look),
        EntryType::Regular | EntryType::Continuous => match tree.file(&path, meta.look, content)? == meta.size {
            true => Ok(()),
            false => Err(odd(&path, "the archive ends in the middle of it")),
        },
        EntryType::Symlink => {
            let to = std::str::from_utf8(&meta.link).map_err(|_| odd(&path, "it leads to a name that is not UTF-8"))?;
            tree.link(&path, OsStr::new(to))
        }
        EntryType::Link => tree.name(&path, &plain(&meta.link)?),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Ok(()),
        _ => Err(odd(&path, "it is of a kind that is not known")),
    }
}

fn small(entry: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    entry.take(most + 1).read_to_end(&mut content)?;
    match content.len() as u64 > most {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a header is longer than {most} bytes"))),
        false => Ok(content),
    }
}

fn name(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut name = small(entry, NAME + 1)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
