//! The lines of a snapshot's stream: written by one side, read by the other. Reading is strict: what the writer could not
//! have meant is refused, and no path leads anywhere but below the root.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Longest line.
pub const LINE: usize = 512 << 10;
/// Longest path.
const PATH: usize = 32 << 10;
/// Longest part of a path.
const NAME: usize = 255;
/// Most pieces of a sparse file in one line; further ones follow in a [`Line::More`].
pub const PIECES: usize = 1024;

/// Where bytes of a file belong: offset and length. What is between is a hole.
pub type Piece = (u64, u64);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Something that is in the home. [`Entry::body`] bytes follow.
    Entry(Entry),
    /// More bytes of the file before: its length and its pieces.
    More(u64, Vec<Piece>),
    /// The file before changed while it was read: what is there may never have been.
    Torn,
    /// The stream is whole: files and bytes that it held.
    End { files: u64, bytes: u64 },
}

/// One entry of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From the root, without a slash before it; any bytes but NUL.
    pub path: Vec<u8>,
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    pub inode: u64,
    pub size: u64,
    pub body: Body,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    /// What the link says.
    Link(Vec<u8>),
    /// The same file as the entry with this path, which came before.
    HardLink(Vec<u8>),
    Fifo,
    /// A socket, a device, or something that may not be read: told and not kept.
    Other,
}

/// What follows an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    None,
    /// A file that is as the asker knows it.
    Unchanged,
    /// So many bytes; for a sparse file where they belong, else from the start.
    Bytes(u64, Option<Vec<Piece>>),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtime_ns: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctime_ns: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Null: unchanged.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    body: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<Piece>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    torn: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A name and, where it is no UTF-8, its bytes.
fn named(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (Some(String::from_utf8_lossy(bytes).into_owned()), Some(STANDARD.encode(bytes))),
    }
}

fn bytes_of(text: Option<String>, encoded: Option<String>) -> Result<Option<Vec<u8>>, String> {
    match (text, encoded) {
        (_, Some(encoded)) => STANDARD.decode(encoded).map(Some).map_err(|error| format!("no base64: {error}")),
        (text, None) => Ok(text.map(String::into_bytes)),
    }
}

impl Line {
    /// The line with its end.
    pub fn write(&self) -> Vec<u8> {
        let raw = match self {
            Self::Entry(entry) => entry.raw(),
            Self::More(body, data) => {
                Raw { more: true, body: Some(Some(*body)), data: Some(data.clone()), ..Raw::default() }
            }
            Self::Torn => Raw { torn: true, ..Raw::default() },
            Self::End { files, bytes } => Raw { end: true, files: Some(*files), bytes: Some(*bytes), ..Raw::default() },
        };
        // Numbers and texts only: this cannot fail.
        let mut line = serde_json::to_vec(&raw).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Reads a line, without its end.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(line).map_err(|error| format!("no line of a snapshot: {error}"))?;
        match (raw.end, raw.torn, raw.more) {
            (true, false, false) => Ok(Self::End {
                files: raw.files.ok_or("the end does not say how many files")?,
                bytes: raw.bytes.ok_or("the end does not say how many bytes")?,
            }),
            (false, true, false) => Ok(Self::Torn),
            (false, false, true) => {
                let data = raw.data.ok_or("more of a file says where it belongs")?;
                let body = raw.body.flatten().ok_or("more of a file has a length")?;
                checked(&data, body, u64::MAX)?;
                Ok(Self::More(body, data))
            }
            (false, false, false) => Entry::of(raw).map(Self::Entry),
            _ => Err("a line of two kinds".into()),
        }
    }
}

impl Entry {
    fn raw(&self) -> Raw {
        let (path, path_b64) = named(&self.path);
        let (kind, link) = match &self.kind {
            EntryKind::File => ("file", None),
            EntryKind::Directory => ("directory", None),
            EntryKind::Link(link) => ("link", Some(link)),
            EntryKind::HardLink(link) => ("hardlink", Some(link)),
            EntryKind::Fifo => ("fifo", None),
            EntryKind::Other => ("other", None),
        };
        let (link, link_b64) = link.map_or((None, None), |link| named(link));
        let (body, data) = match &self.body {
            Body::None => (None, None),
            Body::Unchanged => (Some(None), None),
            Body::Bytes(length, data) => (Some(Some(*length)), data.clone()),
        };
        Raw {
            path,
            path_b64,
            kind: Some(kind.into()),
            link,
            link_b64,
            mode: Some(self.mode),
            mtime_ns: Some(self.mtime_ns),
            ctime_ns: Some(self.ctime_ns),
            inode: Some(self.inode),
            size: Some(self.size),
            body,
            data,
            ..Raw::default()
        }
    }

    fn of(raw: Raw) -> Result<Self, String> {
        let path = bytes_of(raw.path, raw.path_b64)?.ok_or("an entry without a path")?;
        sound(&path)?;
        let link = bytes_of(raw.link, raw.link_b64)?;
        let size = raw.size.unwrap_or(0);
        let kind = match (raw.kind.as_deref(), link) {
            (Some("file"), None) => EntryKind::File,
            (Some("directory"), None) => EntryKind::Directory,
            (Some("link"), Some(link)) if !link.is_empty() && link.len() < 4096 && !link.contains(&0) => {
                EntryKind::Link(link)
            }
            (Some("hardlink"), Some(link)) => {
                sound(&link)?;
                EntryKind::HardLink(link)
            }
            (Some("fifo"), None) => EntryKind::Fifo,
            (Some("other"), None) => EntryKind::Other,
            _ => return Err("an entry of no kind that there is".into()),
        };
        let body = match (&kind, raw.body, raw.data) {
            (EntryKind::File, Some(None), None) => Body::Unchanged,
            (EntryKind::File, Some(Some(length)), None) if length == size => Body::Bytes(length, None),
            (EntryKind::File, Some(Some(length)), Some(data)) => {
                checked(&data, length, size)?;
                Body::Bytes(length, Some(data))
            }
            (EntryKind::File, ..) => return Err("a file whose body is not its size".into()),
            (_, None, None) => Body::None,
            _ => return Err("a body of what has none".into()),
        };
        Ok(Self {
            path,
            kind,
            mode: raw.mode.unwrap_or(0o644) & 0o7777,
            mtime_ns: raw.mtime_ns.unwrap_or(0),
            ctime_ns: raw.ctime_ns.unwrap_or(0),
            inode: raw.inode.unwrap_or(0),
            size,
            body,
        })
    }
}

/// A path that stays below the root.
fn sound(path: &[u8]) -> Result<(), String> {
    let part = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && part.len() <= NAME && !part.contains(&0);
    if path.len() <= PATH && path.split(|byte| *byte == b'/').all(part) {
        return Ok(());
    }
    Err(format!("`{}` is no path below the root", String::from_utf8_lossy(&path[..path.len().min(200)])))
}

/// Pieces in order, within the file, of `length` together.
fn checked(data: &[Piece], length: u64, size: u64) -> Result<(), String> {
    let mut at = 0_u64;
    let mut sum = 0_u64;
    for (offset, length) in data {
        let end = offset.checked_add(*length).filter(|end| *end <= size && *end <= i64::MAX.unsigned_abs());
        at = end.filter(|_| *offset >= at && *length > 0).ok_or("pieces of a file out of order or place")?;
        sum = sum.saturating_add(*length);
    }
    if data.len() <= PIECES && sum == length { Ok(()) } else { Err("pieces of a file that are not its body".into()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: Vec<u8>, kind: EntryKind, body: Body, size: u64) -> Line {
        let numbers = (0o644, 1_700_000_000_123_456_789, -5, 99);
        let (mode, mtime_ns, ctime_ns, inode) = numbers;
        Line::Entry(Entry { path, kind, mode, mtime_ns, ctime_ns, inode, size, body })
    }

    fn again(line: &Line) -> Result<Line, String> {
        let text = line.write();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        Line::read(&text[..text.len() - 1])
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        for line in [
            entry(b"a/\xff\nb".to_vec(), EntryKind::File, Body::Bytes(7, None), 7),
            entry(b"a".to_vec(), EntryKind::File, Body::Unchanged, 7),
            entry(b"a".to_vec(), EntryKind::File, Body::Bytes(3, Some(vec![(0, 1), (4096, 2)])), 9999),
            entry(b"a".to_vec(), EntryKind::Directory, Body::None, 0),
            entry(b"a".to_vec(), EntryKind::Link(b"/etc/\xfe".to_vec()), Body::None, 5),
            entry(b"b".to_vec(), EntryKind::HardLink(b"a/b".to_vec()), Body::None, 5),
            Line::More(2, vec![(8192, 2)]),
            Line::Torn,
            Line::End { files: 3, bytes: 10 },
        ] {
            assert_eq!(again(&line).unwrap(), line);
        }
    }

    #[test]
    fn what_nobody_could_have_meant_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"path":"../a","type":"directory"}"#,
            r#"{"path":"/a","type":"directory"}"#,
            r#"{"path":"a//b","type":"directory"}"#,
            r#"{"path":"a/./b","type":"directory"}"#,
            r#"{"path":"","type":"directory"}"#,
            r#"{"path":"a","path_b64":"Li4=","type":"directory"}"#,
            r#"{"path":"a\u0000","type":"directory"}"#,
            r#"{"path":"a","type":"block"}"#,
            r#"{"path":"a","type":"file"}"#,
            r#"{"path":"a","type":"file","size":2,"body":1}"#,
            r#"{"path":"a","type":"file","size":2,"body":-1}"#,
            r#"{"path":"a","type":"file","size":9,"body":2,"data":[[4,1],[3,1]]}"#,
            r#"{"path":"a","type":"file","size":9,"body":2,"data":[[8,2]]}"#,
            r#"{"path":"a","type":"file","size":9,"body":3,"data":[[0,2]]}"#,
            r#"{"path":"a","type":"file","size":18446744073709551615,"body":1,"data":[[18446744073709551614,1]]}"#,
            r#"{"path":"a","type":"directory","size":0,"body":0}"#,
            r#"{"path":"a","type":"link","link":""}"#,
            r#"{"path":"a","type":"hardlink","link":"../x"}"#,
            r#"{"path":"a","type":"directory","more":true}"#,
            r#"{"path":"a","type":"directory","unknown":1}"#,
            r#"{"end":true,"files":1}"#,
            r#"{"end":true,"torn":true,"files":1,"bytes":1}"#,
        ] {
            assert!(Line::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Line::read(&bytes);
        }

        #[test]
        fn a_path_that_is_read_stays_below_the_root(path in prop::collection::vec(any::<u8>(), 0..40)) {
            let line = entry(path.clone(), EntryKind::Directory, Body::None, 0);
            if let Ok(Line::Entry(read)) = again(&line) {
                prop_assert_eq!(&read.path, &path);
                let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
                prop_assert!(parts.iter().all(|part| !part.is_empty() && *part != b".." && *part != b"."));
            }
        }
    }
}
