//! Whether an archive may be unpacked at all. Every entry is looked at before one of them is written.

use std::collections::BTreeMap;

use super::contents::{Item, ItemKind, refused};
use crate::fault::Fault;

/// Most entries.
const ENTRIES: usize = 200_000;
/// Longest path.
const PATH: usize = 2048;
const NAME: usize = 255;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Check {
    seen: BTreeMap<Vec<u8>, bool>,
    pub(super) bytes: u64,
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(&path[..path.len().min(200)]).escape_debug().to_string()
}

/// The entry's path without what means nothing (`./` before, `/` behind); empty: the root itself.
pub(super) fn plain(path: &[u8]) -> Result<Vec<u8>, Fault> {
    let refuse = |why: &str| refused(format!("the name `{}` {why}", shown(path)));
    if path.starts_with(b"/") {
        return Err(refuse("is absolute"));
    }
    if path.len() > PATH {
        return Err(refuse("is too long"));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refuse("leads out of the folder")),
            part if part.len() > NAME => return Err(refuse("is too long")),
            part if part.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) => {
                return Err(refuse("holds a control character"));
            }
            part if part.contains(&b'\\') => return Err(refuse("holds a backslash")),
            part => parts.push(part),
        }
    }
    Ok(parts.join(&b'/'))
}

impl Check {
    /// Takes one entry in; its path and target come back plain.
    pub(super) fn item(&mut self, item: &mut Item) -> Result<(), Fault> {
        item.path = plain(&item.path)?;
        let folder = item.kind == ItemKind::Folder;
        if item.path.is_empty() {
            return if folder { Ok(()) } else { Err(refused("an entry without a name")) };
        }
        match &mut item.kind {
            ItemKind::Folder => {}
            ItemKind::File(size) => self.bytes = self.bytes.saturating_add(*size),
            ItemKind::Link(target) => stays_inside(&item.path, target)?,
            ItemKind::HardLink(target) => {
                *target = plain(target)?;
                if self.seen.get(target.as_slice()) != Some(&false) {
                    let why = format!("`{}` is a hard link to nothing before it", shown(&item.path));
                    return Err(refused(why));
                }
            }
        }
        if self.seen.len() >= ENTRIES {
            return Err(refused(format!("an archive has at most {ENTRIES} entries")));
        }
        match self.seen.insert(item.path.clone(), folder) {
            None => Ok(()),
            // A folder may be named twice, nothing else.
            Some(true) if folder => Ok(()),
            Some(_) => Err(refused(format!("`{}` is there twice", shown(&item.path)))),
        }
    }

    /// All entries were taken in: nothing may be below a file or a link.
    pub(super) fn whole(&self) -> Result<(), Fault> {
        for path in self.seen.keys() {
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
            for end in ends {
                if self.seen.get(&path[..end]) == Some(&false) {
                    return Err(refused(format!("`{}` is below something that is no folder", shown(path))));
                }
            }
        }
        Ok(())
    }
}

/// A link may say `..` only at its beginning, and no more often than there are folders above it: anywhere else what it
/// means depends on other links.
fn stays_inside(path: &[u8], target: &[u8]) -> Result<(), Fault> {
    let refuse = |why: &str| refused(format!("the link `{}` to `{}` {why}", shown(path), shown(target)));
    if target.is_empty() || target.len() > PATH || target.contains(&0) {
        return Err(refuse("says nothing that a link can say"));
    }
    if target.starts_with(b"/") {
        return Err(refuse("leads out of the folder"));
    }
    let above = path.iter().filter(|byte| **byte == b'/').count();
    let parts = || target.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let ups = parts().take_while(|part| *part == b"..").count();
    if ups > above || parts().skip(ups).any(|part| part == b"..") {
        return Err(refuse("leads out of the folder"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(items: &[(&str, ItemKind)]) -> Result<(), String> {
        let mut check = Check::default();
        for (path, kind) in items {
            let mut item = Item { path: path.as_bytes().to_vec(), kind: kind.clone(), mode: 0o644, modified: None };
            check.item(&mut item).map_err(|fault| fault.message)?;
        }
        check.whole().map_err(|fault| fault.message)
    }

    fn link(target: &str) -> ItemKind {
        ItemKind::Link(target.as_bytes().to_vec())
    }

    #[test]
    fn what_leads_out_is_refused() {
        let file = || ItemKind::File(1);
        let long = "x".repeat(3000);
        let rows: &[(&[(&str, ItemKind)], bool)] = &[
            (&[("a", file()), ("d/", ItemKind::Folder), ("./d", ItemKind::Folder), ("d/b", file())], true),
            (&[("/etc/passwd", file())], false),
            (&[("../a", file())], false),
            (&[("a/../../b", file())], false),
            (&[("a\nb", file())], false),
            (&[("a\0b", file())], false),
            (&[("a\\..\\b", file())], false),
            (&[("", file())], false),
            (&[(long.as_str(), file())], false),
            (&[("a", file()), ("a", file())], false),
            (&[("a", file()), ("./a", file())], false),
            (&[("a", file()), ("a/b", file())], false),
            (&[("a/b", file()), ("a", link("x"))], false),
            (&[("a", link("b"))], true),
            (&[("d/a", link("../b"))], true),
            (&[("a", link("/etc"))], false),
            (&[("a", link(".."))], false),
            (&[("d/a", link("../../b"))], false),
            (&[("d", link(".")), ("x", link("d/.."))], false),
            (&[("a", file()), ("b", ItemKind::HardLink(b"a".to_vec()))], true),
            (&[("b", ItemKind::HardLink(b"/etc/passwd".to_vec()))], false),
            (&[("b", ItemKind::HardLink(b"missing".to_vec()))], false),
            (&[("l", link("x")), ("b", ItemKind::HardLink(b"l".to_vec()))], true),
        ];
        for (items, fine) in rows {
            assert_eq!(check(items).is_ok(), *fine, "{items:?}");
        }
    }
}
