//! The reader behind [`crate::hostile::layer`]: entries made of any bytes, so that every sequence of them is tried, not only
//! those whose checksums a fuzzer guesses.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tar::EntryType;

use super::layer::{Budget, Packing, apply};
use super::tree::Tree;

/// Few, so that entries meet.
const NAMES: [&str; 16] = [
    "a",
    "b",
    "a/b",
    "b/a/c",
    "c",
    "c/../../outside",
    "../outside/kept",
    "/outside/kept",
    "a/.wh.b",
    "b/.wh..wh..opq",
    ".wh.a",
    ".wh..wh..opq",
    "c/kept",
    "l/kept",
    "l/l/.wh.kept",
    "./a/./l",
];
const LINKS: [&str; 8] = ["a", "../outside", "/", "..", "b/a", "../../../../outside/kept", "l", "/proc/self/root"];
const KINDS: [EntryType; 10] = [
    EntryType::Regular,
    EntryType::Directory,
    EntryType::Symlink,
    EntryType::Link,
    EntryType::Regular,
    EntryType::Symlink,
    EntryType::Char,
    EntryType::Fifo,
    EntryType::GNULongName,
    EntryType::XHeader,
];

/// Unpacks layers that these bytes mean into `folder/root`, beside `folder/outside` which must stay as it is.
pub(crate) fn layer(folder: &Path, bytes: &[u8]) {
    let (outside, root) = (folder.join("outside"), folder.join("root"));
    for path in [&outside, &root] {
        fs::create_dir_all(path).expect("the folder can be made");
    }
    fs::write(outside.join("kept"), "as it was").expect("the neighbour can be made");
    let mut tree = Tree::open(&root).expect("the folder can be opened");
    let mut budget = Budget::of_mib(1);
    let (how, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    for part in rest.split(|byte| *byte == 0xff) {
        let _ = match how % 4 {
            0 => apply(part, Packing::Plain, &mut tree, &mut budget),
            1 => apply(part, Packing::Gzip, &mut tree, &mut budget),
            2 => apply(part, Packing::Zstd, &mut tree, &mut budget),
            _ => apply(&archive(part)[..], Packing::Plain, &mut tree, &mut budget),
        };
    }
    assert_eq!(fs::read(outside.join("kept")).ok().as_deref(), Some(&b"as it was"[..]), "a file outside was changed");
    assert_eq!(fs::read_dir(&outside).map_or(0, Iterator::count), 1, "a name appeared outside");
    assert_eq!(fs::read_dir(folder).map_or(0, Iterator::count), 2, "a name appeared beside it");
    harmless(&root);
    fs::remove_dir_all(&root).expect("what was unpacked can be removed");
}

/// Three bytes are an entry.
fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for three in bytes.chunks_exact(3) {
        let (name, link) = (NAMES[usize::from(three[1]) % NAMES.len()], LINKS[usize::from(three[2]) % LINKS.len()]);
        let kind = KINDS[usize::from(three[0]) % KINDS.len()];
        let mut header = tar::Header::new_gnu();
        if let Some(gnu) = header.as_gnu_mut() {
            gnu.name[..name.len()].copy_from_slice(name.as_bytes());
            gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        let content = if kind == EntryType::Symlink || kind == EntryType::Link { &b""[..] } else { link.as_bytes() };
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(u32::from(three[2]) << 5 | 0o7000);
        header.set_uid(u64::from(three[0]) * 8);
        header.set_cksum();
        let _ = builder.append(&header, content);
    }
    builder.into_inner().unwrap_or_default()
}

fn harmless(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let meta = entry.metadata().expect("what was unpacked can be looked at");
        let kind = meta.file_type();
        assert!(kind.is_dir() || kind.is_file() || kind.is_symlink(), "a device or a pipe: {:?}", entry.path());
        assert!(kind.is_symlink() || meta.mode() & 0o7022 == 0, "mode {:o} of {:?}", meta.mode(), entry.path());
        if kind.is_dir() {
            harmless(&entry.path());
        }
    }
}
