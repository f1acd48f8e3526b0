//! What an install left on disk, file by file, with hashes: written at the end of the install, compared by `verify`.
//!
//! The tree was filled by programs in a sandbox: no link in it is ever followed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MOST_ENTRIES: usize = 1_000_000;

/// All entries of a tree but folders, by their path below it. A file: size, whether it is executable, hash; a link:
/// where it leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    File { size: u64, run: bool, sha256: String },
    Link { to: String },
}

impl Record {
    /// Reads the whole tree. Refuses what has no place in an environment: devices, sockets, names that are not UTF-8.
    pub fn of(tree: &Path) -> io::Result<Self> {
        let mut entries = BTreeMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(below) = waiting.pop() {
            for found in fs::read_dir(tree.join(&below))? {
                let found = found?;
                let path = below.join(found.file_name());
                let kind = found.file_type()?;
                if kind.is_dir() {
                    waiting.push(path);
                    continue;
                }
                let name = path.to_str().ok_or_else(|| odd(&path, "its name is not UTF-8"))?.to_owned();
                entries.insert(name, entry(&found.path(), kind)?);
                if entries.len() > MOST_ENTRIES {
                    return Err(io::Error::other("the environment has more than a million files"));
                }
            }
        }
        Ok(Self { entries })
    }

    /// The image beside it as well: its paths are absolute ones.
    pub fn with_image(mut self, image: &Path) -> io::Result<Self> {
        if image.is_dir() {
            let own = Self::of(image)?.entries.into_iter().map(|(path, entry)| (format!("/{path}"), entry));
            self.entries.extend(own);
        }
        Ok(self)
    }

    /// Bytes and files.
    pub fn size(&self) -> (u64, u64) {
        let size = |entry: &Entry| if let Entry::File { size, .. } = entry { *size } else { 0 };
        (self.entries.values().map(size).sum(), self.entries.len() as u64)
    }

    /// What differs now from what was recorded: at most `most` paths.
    pub fn differences(&self, now: &Self, most: usize) -> Vec<String> {
        let changed = self.entries.iter().filter(|(path, entry)| now.entries.get(*path) != Some(entry));
        let added = now.entries.keys().filter(|path| !self.entries.contains_key(*path));
        changed.map(|(path, _)| path).chain(added).take(most).cloned().collect()
    }
}

fn odd(path: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}

fn entry(path: &Path, kind: fs::FileType) -> io::Result<Entry> {
    if kind.is_symlink() {
        let to = fs::read_link(path)?;
        let to = to.to_str().ok_or_else(|| odd(path, "it leads to a name that is not UTF-8"))?;
        return Ok(Entry::Link { to: to.to_owned() });
    }
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
    let mut file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(odd(path, "it is neither a file nor a link"));
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut size = 0;
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        size += length as u64;
        hash.update(&buffer[..length]);
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Entry::File { size, run: meta.mode() & 0o111 != 0, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_is_found_and_no_link_is_followed() {
        let host = tempfile::tempdir().unwrap();
        let tree = host.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        for (path, text) in [("a/one", "1"), ("a/b/two", "2"), ("three", "3")] {
            fs::write(tree.join(path), text).unwrap();
        }
        fs::write(host.path().join("outside"), "o").unwrap();
        std::os::unix::fs::symlink("../outside", tree.join("link")).unwrap();
        let before = Record::of(&tree).unwrap();
        assert_eq!(before.size(), (3, 4));
        fs::write(host.path().join("outside"), "changed").unwrap();
        assert_eq!(before.differences(&Record::of(&tree).unwrap(), 10), Vec::<String>::new());
        fs::write(tree.join("a/one"), "x").unwrap();
        fs::remove_file(tree.join("three")).unwrap();
        fs::write(tree.join("added"), "").unwrap();
        let now = Record::of(&tree).unwrap();
        assert_eq!(before.differences(&now, 10), ["a/one", "three", "added"]);
        assert_eq!(before.differences(&now, 1).len(), 1);
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), before);
    }
}
