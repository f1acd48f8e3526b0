//! A snapshot back into a home: all of it, or one file or folder. What is there now is saved before.

use std::collections::VecDeque;
use std::sync::Arc;

use darter_api::workspace as api;
use darter_attendant::snapshot::line::{Body, Line};
use darter_core::role::Action;
use darter_core::workspace::SnapshotReason;
use darter_core::{Fault, SnapshotId, WorkspaceId};
use darter_engine::workspace::{KeptHome, SnapshotStream};
use darter_store::snapshot;
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::manifest::{Item, Manifest, Slice, place};
use super::vault::{Part, Vault};
use super::{damaged, make, not_found, nothing_there, unread};
use crate::workspace::access::Opened;
use crate::workspace::wake;
use crate::{Actor, Platform};

/// Bytes between the vault and the workspace.
const PIPE: usize = 1 << 20;
/// Where homes are inside.
const HOME: &str = "/home/user";

/// Restores everything, or what is at a path.
pub async fn restore(
    platform: &Arc<Platform>,
    actor: &Actor,
    (id, snapshot_id): (&WorkspaceId, &SnapshotId),
    input: api::RestoreSnapshot,
) -> Result<(), Fault> {
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    let row = snapshot::lookup(&mut opened.tx, id, snapshot_id).await?.ok_or_else(|| not_found(snapshot_id))?;
    opened.audit("snapshot.restore", snapshot_id.as_str(), json!({ "path": input.path })).await?;
    opened.tx.commit().await?;
    let vault = &platform.workspaces.vault;
    let mut manifest = Manifest::load(vault, id, &row.manifest).await?.held_for_long()?;
    if let Some(path) = &input.path {
        manifest.items = chosen(manifest.items, path)?;
    }
    let ran = platform.workspaces.engine.status(id).observed.state.is_live();
    // One that is gone has nothing to save.
    if platform.workspaces.engine.has_home(id) {
        make::before(platform, actor, id, SnapshotReason::Restore).await?;
    }
    let files = stream(platform, id, manifest, input.path.is_none());
    if input.path.is_some() {
        return platform.workspaces.engine.import(id, files).await;
    }
    platform.workspaces.engine.replace(id, files).await?;
    if ran {
        wake::begin(platform, id, None);
    }
    Ok(())
}

/// The files of a snapshot, for a home that has none yet.
pub(crate) async fn files_of(
    platform: &Arc<Platform>,
    (id, snapshot_id): (&WorkspaceId, &SnapshotId),
) -> Result<SnapshotStream, Fault> {
    let row = snapshot::lookup(&mut *platform.store.read().await?, id, snapshot_id).await?;
    let row = row.ok_or_else(|| not_found(snapshot_id))?;
    let manifest = Manifest::load(&platform.workspaces.vault, id, &row.manifest).await?.held_for_long()?;
    Ok(stream(platform, id, manifest, true))
}

/// The newest snapshot of a home that is gone, when there is one.
pub(crate) async fn kept(platform: &Arc<Platform>, id: &WorkspaceId) -> Result<Option<KeptHome>, Fault> {
    let newest = snapshot::list(&mut *platform.store.read().await?, id, "", 1).await?.pop();
    let Some(row) = newest else { return Ok(None) };
    let manifest = Manifest::load(&platform.workspaces.vault, id, &row.manifest).await?.held_for_long()?;
    let files = stream(platform, id, manifest, true);
    Ok(Some(KeptHome { name: row.id.to_string(), made_at: row.created_at, files }))
}

/// What is at the path and below it, with the folders above it.
fn chosen(items: Vec<Item>, path: &str) -> Result<Vec<Item>, Fault> {
    let wanted = place(path).to_owned();
    let below = format!("{wanted}/");
    let at = |item: &Item| item.place() == wanted || item.place().starts_with(&below);
    if !items.iter().any(at) {
        return Err(nothing_there());
    }
    let above = |item: &Item| item.is_folder() && wanted.starts_with(&format!("{}/", item.place()));
    Ok(items.into_iter().filter(|item| at(item) || above(item)).collect())
}

fn stream(platform: &Arc<Platform>, id: &WorkspaceId, manifest: Manifest, clear: bool) -> SnapshotStream {
    let (reader, mut writer) = tokio::io::duplex(PIPE);
    let (platform, id) = (Arc::clone(platform), id.clone());
    tokio::spawn(async move {
        // Without its last line the other side takes nothing of it.
        if let Err(fault) = write(&platform.workspaces.vault, &id, (&manifest, clear), &mut writer).await {
            tracing::warn!(workspace = %id, %fault, cause = ?fault.cause, "a snapshot could not be sent whole");
        }
    });
    SnapshotStream { bytes: Box::pin(reader), lease: None }
}

async fn write(
    vault: &Vault,
    id: &WorkspaceId,
    (manifest, clear): (&Manifest, bool),
    out: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Fault> {
    let gone = |error: std::io::Error| Fault::internal(error);
    let mut bytes = Bytes::new(vault, id);
    out.write_all(format!("{}\n", json!({ "root": HOME, "clear": clear })).as_bytes()).await.map_err(gone)?;
    let (mut files, mut sum) = (0, 0);
    for item in &manifest.items {
        files += u64::from(item.is_file());
        sum += item.length();
        let mut slices = item.slices.iter().cloned().collect();
        let first = match &item.entry.body {
            Body::Bytes(length, _) => *length,
            Body::None | Body::Unchanged => 0,
        };
        out.write_all(&Line::Entry(item.entry.clone()).write()).await.map_err(gone)?;
        bytes.copy(&mut slices, first, out).await?;
        for (length, data) in &item.more {
            out.write_all(&Line::More(*length, data.clone()).write()).await.map_err(gone)?;
            bytes.copy(&mut slices, *length, out).await?;
        }
    }
    out.write_all(&Line::End { files, bytes: sum }.write()).await.map_err(gone)?;
    out.shutdown().await.map_err(gone)
}

/// Reads slices; the chunk that was read last is at hand.
pub(super) struct Bytes<'a> {
    vault: &'a Vault,
    id: &'a WorkspaceId,
    name: String,
    chunk: Vec<u8>,
}

impl<'a> Bytes<'a> {
    pub fn new(vault: &'a Vault, id: &'a WorkspaceId) -> Self {
        Self { vault, id, name: String::new(), chunk: Vec::new() }
    }

    pub async fn of(&mut self, slice: &Slice) -> Result<&[u8], Fault> {
        if self.name != slice.0 {
            self.chunk = self.vault.get(self.id, Part::Chunk, &slice.0).await.map_err(unread)?;
            self.name.clone_from(&slice.0);
        }
        let (from, to) = (slice.1 as usize, slice.1 as usize + slice.2 as usize);
        self.chunk.get(from..to).ok_or_else(|| damaged("a slice outside of its chunk"))
    }

    /// Writes the next so many bytes.
    async fn copy(
        &mut self,
        slices: &mut VecDeque<Slice>,
        length: u64,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Fault> {
        let mut left = length;
        while left > 0 {
            let slice = slices.pop_front().ok_or_else(|| damaged("fewer bytes than an entry has"))?;
            // Not more than the slice, whose length has 32 bits.
            let count = u64::from(slice.2).min(left) as u32;
            let part = self.of(&Slice(slice.0.clone(), slice.1, count)).await?;
            out.write_all(part).await.map_err(Fault::internal)?;
            left -= u64::from(count);
            if slice.2 > count {
                slices.push_front(Slice(slice.0, slice.1 + count, slice.2 - count));
            }
        }
        Ok(())
    }
}
