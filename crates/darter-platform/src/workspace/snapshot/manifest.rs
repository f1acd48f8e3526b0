//! What a snapshot holds: every entry as the attendant told it, and where its bytes are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use darter_attendant::snapshot::line::{Body, Entry, EntryKind, Line, Piece};
use darter_core::{Fault, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::room::Room;
use super::vault::{Part, Vault};
use super::{damaged, unkept, unread};

/// Entries that are written before somebody else has a turn.
const AT_ONCE: usize = 10_000;

/// Where bytes are: chunk, offset in it, how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice(pub String, pub u32, pub u32);

/// Something in a home. Names are the tenant's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub entry: Entry,
    /// Further pieces of a sparse file.
    pub more: Vec<(u64, Vec<Piece>)>,
    /// It changed while it was read.
    pub torn: bool,
    /// The bytes of all bodies, one after the other.
    pub slices: Vec<Slice>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    entry: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<(u64, Vec<Piece>)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    torn: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slices: Vec<Slice>,
}

impl Item {
    pub fn new(entry: Entry) -> Self {
        Self { entry, more: Vec::new(), torn: false, slices: Vec::new() }
    }

    /// Is it the same file, untouched?
    pub fn is_like(&self, other: &Entry) -> bool {
        let key = |entry: &Entry| (entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode);
        !self.torn && self.entry.kind == EntryKind::File && key(&self.entry) == key(other)
    }

    /// The path below the home, as a person sees it.
    pub fn place(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.entry.path)
    }

    pub fn is_file(&self) -> bool {
        self.entry.kind == EntryKind::File
    }

    pub fn is_folder(&self) -> bool {
        self.entry.kind == EntryKind::Directory
    }

    /// How many bytes are kept of it.
    pub fn length(&self) -> u64 {
        self.slices.iter().map(|slice| u64::from(slice.2)).sum()
    }

    fn keep(&self) -> Result<Kept, Fault> {
        let entry = serde_json::from_slice(&Line::Entry(self.entry.clone()).write()).map_err(Fault::internal)?;
        Ok(Kept { entry, more: self.more.clone(), torn: self.torn, slices: self.slices.clone() })
    }

    fn of(kept: Kept) -> Result<Self, Fault> {
        match Line::read(kept.entry.to_string().as_bytes()) {
            Ok(Line::Entry(entry)) => Ok(Self { entry, more: kept.more, torn: kept.torn, slices: kept.slices }),
            Ok(_) => Err(damaged("a line that is no entry")),
            Err(error) => Err(damaged(error)),
        }
    }
}

/// A path below the home, however it is written.
pub(super) fn place(path: &str) -> &str {
    let inside = path.strip_prefix("/home/user").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    inside.unwrap_or(path).trim_start_matches("./").trim_matches('/')
}

/// All of it, in the attendant's order.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub items: Vec<Item>,
    /// Its place among the large ones in memory.
    room: Room,
}

impl Manifest {
    /// Keeps it; its name says what is in it.
    pub async fn save(&self, vault: &Vault, id: &WorkspaceId) -> Result<(String, u64), Fault> {
        let mut bytes = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            serde_json::to_writer(&mut bytes, &item.keep()?).map_err(Fault::internal)?;
            bytes.push(b'\n');
            if index % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        vault.put(id, Part::Manifest, bytes).await.map_err(unkept)
    }

    /// Reads it again.
    pub async fn load(vault: &Vault, id: &WorkspaceId, name: &str) -> Result<Self, Fault> {
        let reading = Room::reading().await?;
        let bytes = vault.get(id, Part::Manifest, name).await.map_err(unread)?;
        let room = Room::of(bytes.len()).await?;
        let parsed = tokio::task::spawn_blocking(move || {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let item = |line| Item::of(serde_json::from_slice(line).map_err(damaged)?);
            lines.map(item).collect::<Result<Vec<_>, Fault>>()
        });
        let items = parsed.await.map_err(Fault::internal)??;
        drop(reading);
        Ok(Self { items, room })
    }

    /// For work that goes on for as long as a workspace likes: it takes nobody's place who only looks.
    pub fn held_for_long(mut self) -> Result<Self, Fault> {
        self.room = self.room.held_for_long()?;
        Ok(self)
    }

    pub fn by_path(&self) -> BTreeMap<&[u8], &Item> {
        self.items.iter().map(|item| (item.entry.path.as_slice(), item)).collect()
    }

    /// Every chunk that it needs.
    pub fn chunks(&self) -> BTreeSet<String> {
        self.items.iter().flat_map(|item| &item.slices).map(|slice| slice.0.clone()).collect()
    }

    /// What the attendant wants to know of it, so that it sends only what has changed.
    pub fn index(&self) -> Result<Vec<u8>, Fault> {
        let mut known = Vec::new();
        for item in self.items.iter().filter(|item| item.is_file() && !item.torn) {
            let entry = item.keep()?.entry;
            let fields = ["path", "path_b64", "size", "mtime_ns", "ctime_ns", "inode"];
            let said = fields.iter().filter_map(|name| Some(((*name).to_owned(), entry.get(name)?.clone())));
            known.push(Value::Object(said.collect()));
        }
        serde_json::to_vec(&known).map_err(Fault::internal)
    }
}

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stretch {
    Hole(u64),
    Bytes(Slice),
}

/// A file from its first byte to its last, holes included.
pub(super) fn stretches(item: &Item) -> Vec<Stretch> {
    let whole = vec![(0, item.length())];
    let first = match &item.entry.body {
        Body::Bytes(_, Some(data)) => data.clone(),
        Body::None | Body::Unchanged | Body::Bytes(_, None) => whole,
    };
    let pieces = first.into_iter().chain(item.more.iter().flat_map(|(_, data)| data.iter().copied()));
    let mut slices = item.slices.iter().cloned();
    let (mut rest, mut at, mut found) = (None::<Slice>, 0, Vec::new());
    for (offset, length) in pieces {
        if offset > at {
            found.push(Stretch::Hole(offset - at));
        }
        let mut left = length;
        while left > 0 {
            let Some(slice) = rest.take().or_else(|| slices.next()) else { return found };
            let taken = u64::from(slice.2).min(left);
            // Not more than the slice, whose length has 32 bits.
            let count = taken as u32;
            found.push(Stretch::Bytes(Slice(slice.0.clone(), slice.1, count)));
            if slice.2 > count {
                rest = Some(Slice(slice.0, slice.1 + count, slice.2 - count));
            }
            left -= taken;
        }
        at = offset.saturating_add(length);
    }
    if item.entry.size > at {
        found.push(Stretch::Hole(item.entry.size - at));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_file_is_read_with_its_holes() {
        let entry = |data| Entry {
            path: b"a".to_vec(),
            kind: EntryKind::File,
            mode: 0o644,
            mtime_ns: 1,
            ctime_ns: 1,
            inode: 1,
            size: 100,
            body: Body::Bytes(10, data),
        };
        let slice = |offset, count| Slice("c".into(), offset, count);
        let mut item = Item::new(entry(Some(vec![(5, 4), (20, 6)])));
        item.more = vec![(2, vec![(50, 2)])];
        item.slices = vec![slice(0, 7), slice(30, 5)];
        let expected = vec![
            Stretch::Hole(5),
            Stretch::Bytes(slice(0, 4)),
            Stretch::Hole(11),
            Stretch::Bytes(slice(4, 3)),
            Stretch::Bytes(slice(30, 3)),
            Stretch::Hole(24),
            Stretch::Bytes(slice(33, 2)),
            Stretch::Hole(48),
        ];
        assert_eq!(stretches(&item), expected);
        let kept = Item::of(item.keep().unwrap()).unwrap();
        assert_eq!(kept, item, "a manifest gives back what it was given");
        let mut whole = Item::new(Entry { size: 12, body: Body::Bytes(12, None), ..entry(None) });
        whole.slices = vec![slice(0, 7), slice(30, 5)];
        assert_eq!(stretches(&whole), [Stretch::Bytes(slice(0, 7)), Stretch::Bytes(slice(30, 5))]);
    }

    #[test]
    fn a_place_is_below_the_home_however_it_is_written() {
        for path in ["/home/user/src/a", "src/a", "./src/a", "/src/a/"] {
            assert_eq!(place(path), "src/a", "{path}");
        }
        assert_eq!((place("/home/user"), place("/home/username"), place("")), ("", "home/username", ""));
    }
}
