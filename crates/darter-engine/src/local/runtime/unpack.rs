//! Unpacks chosen files of a registry's archive into a new folder. Every entry is hostile until checked.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

/// Most bytes and entries of one archive, unpacked.
const MAX_BYTES: u64 = 1 << 30;
const MAX_ENTRIES: usize = 50_000;

/// Unpacks what `files` names (a file or a folder in the archive → a path below `into`). Only regular files are made.
pub fn unpack(archive: impl Read, files: &BTreeMap<String, String>, into: &Path) -> io::Result<()> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let mut left = MAX_BYTES;
    let mut made = 0;
    for (number, entry) in tar.entries()?.enumerate() {
        let mut entry = entry?;
        if number >= MAX_ENTRIES {
            return Err(broken("has too many entries".into()));
        }
        let path = plain(&entry.path()?)?;
        let Some(target) = target(&path, files) else { continue };
        match entry.header().entry_type() {
            tar::EntryType::Regular => {}
            tar::EntryType::Directory => continue,
            _ => return Err(broken(format!("holds a link or device: {}", path.display()))),
        }
        left = left.checked_sub(entry.size()).ok_or_else(|| broken("is larger than 1 GiB unpacked".into()))?;
        let executable = entry.header().mode()? & 0o111 != 0;
        write(&mut entry, &into.join(plain(&target)?), executable)?;
        made += 1;
    }
    if made == 0 { Err(broken("has none of the files that were expected".into())) } else { Ok(()) }
}

fn write(from: &mut impl Read, path: &Path, executable: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    io::copy(from, &mut file).map(drop)
}

fn target(path: &Path, files: &BTreeMap<String, String>) -> Option<PathBuf> {
    files.iter().find_map(|(from, to)| {
        let rest = path.strip_prefix(from).ok()?;
        Some(if rest.as_os_str().is_empty() { PathBuf::from(to) } else { Path::new(to).join(rest) })
    })
}

fn plain(path: &Path) -> io::Result<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir).collect::<Vec<_>>();
    if parts.is_empty() || !parts.iter().all(|part| matches!(part, Component::Normal(_))) {
        return Err(broken(format!("holds a path that leads out of it: {}", path.display())));
    }
    Ok(parts.into_iter().collect())
}

fn broken(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o755);
            if *kind == tar::EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn files() -> BTreeMap<String, String> {
        [("package/bin/node", "bin/node"), ("package/lib", "tools/lib")].map(|(a, b)| (a.into(), b.into())).into()
    }

    #[test]
    fn only_what_is_wanted_is_unpacked() {
        let into = tempfile::tempdir().unwrap();
        let regular = tar::EntryType::Regular;
        let bytes = archive(&[
            ("package/bin/node", regular, b"n"),
            ("package/lib/a/b.ts", regular, b"b"),
            ("package/x", regular, b"x"),
        ]);
        unpack(&bytes[..], &files(), into.path()).unwrap();
        assert_eq!(fs::read(into.path().join("bin/node")).unwrap(), b"n");
        assert_eq!(fs::read(into.path().join("tools/lib/a/b.ts")).unwrap(), b"b");
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_archive_that_leads_out_or_links_is_refused() {
        for (path, kind) in [
            ("package/lib/../../../etc/x", tar::EntryType::Regular),
            ("/package/lib/x", tar::EntryType::Regular),
            ("package/lib/x", tar::EntryType::Symlink),
            ("package/lib/x", tar::EntryType::Char),
            ("package/other", tar::EntryType::Regular),
        ] {
            let into = tempfile::tempdir().unwrap();
            assert!(unpack(&archive(&[(path, kind, b"")])[..], &files(), into.path()).is_err(), "{path}");
            assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "{path}");
        }
    }
}
