//! Looking into snapshots: which there are, what is in them, one file of one; and letting go of one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use darter_api::page::{Page, PageQuery};
use darter_api::workspace as api;
use darter_attendant::snapshot::line::EntryKind;
use darter_core::role::{Action, TokenScope};
use darter_core::{Fault, SnapshotId, WorkspaceId};
use darter_store::snapshot::{self, Snapshot};
use futures_util::stream::{self, StreamExt};
use serde_json::json;

use super::manifest::{Item, Manifest, Stretch, place, stretches};
use super::restore::Bytes as Pieces;
use super::{make, not_found, nothing_there, shown};
use crate::page::{cut, limit_of, malformed_cursor};
use crate::workspace::access::Opened;
use crate::workspace::inside::Content;
use crate::{Actor, Platform};

/// Entries of a folder that are listed.
const LISTED: usize = 10_000;
/// What a hole reads as.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A workspace's snapshots, the newest first.
pub async fn list(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    page: &PageQuery,
) -> Result<Page<api::Snapshot>, Fault> {
    let limit = limit_of(page)?;
    let before: Option<SnapshotId> = match &page.cursor {
        Some(cursor) => Some(cursor.parse().map_err(|_| malformed_cursor())?),
        None => None,
    };
    let mut opened = Opened::read(platform, actor, id).await?;
    let before = before.as_ref().map_or("", SnapshotId::as_str);
    let (found, more) = cut(snapshot::list(&mut opened.tx, id, before, limit + 1).await?, limit);
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items: found.iter().map(shown).collect(), next })
}

/// One snapshot.
pub async fn get(
    platform: &Platform,
    actor: &Actor,
    (id, snapshot_id): (&WorkspaceId, &SnapshotId),
) -> Result<api::Snapshot, Fault> {
    let mut opened = Opened::read(platform, actor, id).await?;
    let row = snapshot::lookup(&mut opened.tx, id, snapshot_id).await?;
    row.as_ref().map(shown).ok_or_else(|| not_found(snapshot_id))
}

/// Whoever may read the home may read what was in it.
async fn opened(
    platform: &Platform,
    actor: &Actor,
    (id, snapshot_id): (&WorkspaceId, &SnapshotId),
) -> Result<(Snapshot, Manifest), Fault> {
    let mut opened = Opened::read_as(platform, actor, id, (Action::Edit, TokenScope::Read)).await?;
    let row = snapshot::lookup(&mut opened.tx, id, snapshot_id).await?.ok_or_else(|| not_found(snapshot_id))?;
    drop(opened);
    let manifest = Manifest::load(&platform.workspaces.vault, id, &row.manifest).await?;
    Ok((row, manifest))
}

/// What is in a folder of a snapshot.
pub async fn folder(
    platform: &Platform,
    actor: &Actor,
    which: (&WorkspaceId, &SnapshotId),
    path: &str,
) -> Result<api::FolderList, Fault> {
    let (_, manifest) = opened(platform, actor, which).await?;
    let wanted = place(path);
    let below = if wanted.is_empty() { String::new() } else { format!("{wanted}/") };
    let known = |item: &Item| item.place() == wanted && item.is_folder();
    if !wanted.is_empty() && !manifest.items.iter().any(known) {
        return Err(nothing_there());
    }
    let mut entries: BTreeMap<String, api::FolderEntry> = BTreeMap::new();
    for item in &manifest.items {
        let place = item.place();
        let rest = place.strip_prefix(&below).filter(|rest| !rest.is_empty() && !rest.contains('/'));
        if let Some(rest) = rest {
            entries.insert(rest.to_owned(), entry(rest, item));
        }
    }
    let more = entries.len() > LISTED;
    Ok(api::FolderList { entries: entries.into_values().take(LISTED).collect(), more })
}

fn entry(name: &str, item: &Item) -> api::FolderEntry {
    let kind = match &item.entry.kind {
        EntryKind::File | EntryKind::HardLink(_) => "file",
        EntryKind::Directory => "directory",
        EntryKind::Link(_) => "link",
        EntryKind::Fifo | EntryKind::Other => "other",
    };
    api::FolderEntry {
        name: name.to_owned(),
        name_b64: None,
        kind: kind.to_owned(),
        size: item.entry.size,
        modified_ms: item.entry.mtime_ns / 1_000_000,
        mode: item.entry.mode,
    }
}

/// One file of a snapshot.
pub async fn read(
    platform: &Arc<Platform>,
    actor: &Actor,
    which: (&WorkspaceId, &SnapshotId),
    path: &str,
) -> Result<Content, Fault> {
    let (_, manifest) = opened(platform, actor, which).await?;
    let wanted = place(path);
    let item = manifest.items.into_iter().find(|item| item.place() == wanted && item.is_file());
    let item = item.ok_or_else(nothing_there)?;
    let name = wanted.rsplit('/').next().unwrap_or_default().to_owned();
    let state = (Arc::clone(platform), which.0.clone(), VecDeque::from(stretches(&item)));
    let bytes = stream::unfold(state, |(platform, id, mut stretches)| async move {
        let part = match stretches.pop_front()? {
            Stretch::Bytes(slice) => {
                let mut pieces = Pieces::new(&platform.workspaces.vault, &id);
                pieces.of(&slice).await.map(bytes::Bytes::copy_from_slice).map_err(std::io::Error::other)
            }
            Stretch::Hole(length) => {
                let count = length.min(ZEROS.len() as u64);
                if length > count {
                    stretches.push_front(Stretch::Hole(length - count));
                }
                Ok(bytes::Bytes::from_static(&ZEROS[..usize::try_from(count).unwrap_or(0)]))
            }
        };
        Some((part, (platform, id, stretches)))
    });
    // Fused: what compresses an answer asks once more after its end.
    Ok(Content { bytes: bytes.fuse().boxed(), length: Some(item.entry.size), name, tag: None })
}

/// Lets go of a snapshot, and of the data that only it needs.
pub async fn remove(
    platform: &Platform,
    actor: &Actor,
    (id, snapshot_id): (&WorkspaceId, &SnapshotId),
) -> Result<(), Fault> {
    let _alone = platform.workspaces.vault.lock(id).await;
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?;
    if !snapshot::remove(&mut opened.tx, id, snapshot_id).await? {
        return Err(not_found(snapshot_id));
    }
    opened.audit("snapshot.delete", snapshot_id.as_str(), json!({})).await?;
    opened.tx.commit().await?;
    make::sweep(platform, id).await
}
