//! What an archive holds, told entry by entry, whichever of the three forms it has.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use flate2::read::MultiGzDecoder;
use tar::EntryType;
use zip::ZipArchive;

use crate::fault::Fault;

/// What an entry says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) path: Vec<u8>,
    pub(super) kind: ItemKind,
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ItemKind {
    Folder,
    File(u64),
    Link(Vec<u8>),
    HardLink(Vec<u8>),
}

pub(super) fn refused(message: impl Into<String>) -> Fault {
    Fault::new("archive.refused", message)
}

fn broken(error: impl std::fmt::Display) -> Fault {
    refused(format!("the archive cannot be read: {error}"))
}

/// Calls `visit` with every entry and its content.
pub(super) fn each(file: &File, visit: &mut dyn FnMut(Item, &mut dyn Read) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut start = [0; 4];
    let mut reader = file;
    reader.rewind().map_err(broken)?;
    let length = read_start(&mut reader, &mut start).map_err(broken)?;
    reader.rewind().map_err(broken)?;
    match &start[..length] {
        [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6] => zip_items(reader, visit),
        [0x1f, 0x8b, ..] => tar_items(MultiGzDecoder::new(BufReader::new(reader)), visit),
        [] => Err(refused("the archive is empty")),
        _ => tar_items(BufReader::new(reader), visit),
    }
}

fn read_start(reader: &mut impl Read, start: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < start.len() {
        match reader.read(&mut start[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

fn tar_items(reader: impl Read, visit: &mut dyn FnMut(Item, &mut dyn Read) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path_bytes().into_owned();
        let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => ItemKind::File(entry.size()),
            EntryType::Directory => ItemKind::Folder,
            EntryType::Symlink => ItemKind::Link(link),
            EntryType::Link => ItemKind::HardLink(link),
            EntryType::XGlobalHeader => continue,
            other => {
                let name = String::from_utf8_lossy(&path).into_owned();
                return Err(refused(format!("{name} is neither a file, a folder nor a link but of type {other:?}")));
            }
        };
        let mode = entry.header().mode().map_err(broken)?;
        let modified = entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok());
        visit(Item { path, kind, mode, modified }, &mut entry)?;
    }
    Ok(())
}

fn zip_items(reader: &File, visit: &mut dyn FnMut(Item, &mut dyn Read) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(BufReader::new(reader)).map_err(broken)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let path = entry.name_raw().to_vec();
        let mode = entry.unix_mode();
        let type_of = mode.map(|mode| mode & 0o170_000).filter(|kind| *kind != 0);
        let kind = match type_of {
            _ if entry.is_dir() => ItemKind::Folder,
            Some(0o120_000) => {
                let mut link = Vec::new();
                entry.by_ref().take(4096).read_to_end(&mut link).map_err(broken)?;
                ItemKind::Link(link)
            }
            None | Some(0o100_000) => ItemKind::File(entry.size()),
            Some(_) => {
                let name = String::from_utf8_lossy(&path).into_owned();
                return Err(refused(format!("{name} is neither a file, a folder nor a link")));
            }
        };
        let mode = mode.unwrap_or(if kind == ItemKind::Folder { 0o755 } else { 0o644 });
        visit(Item { path, kind, mode, modified: None }, &mut entry)?;
    }
    Ok(())
}
