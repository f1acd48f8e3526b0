//! Snapshots of homes: made by the attendant from inside, kept by content, listed, looked into, restored.
//!
//! They are compressed and not encrypted, as the homes themselves are not: whoever reads the server's disk reads both.

mod browse;
mod bucket;
#[cfg(test)]
mod bucket_tests;
mod make;
mod manifest;
mod pack;
mod restore;
mod room;
mod store_config;
mod take;
mod vault;

pub use browse::{folder, get, list, read, remove};
pub(crate) use make::before;
pub use make::{make, make_due};
pub use restore::restore;
pub(crate) use restore::{files_of, kept};
pub use store_config::SnapshotStore;
pub(crate) use vault::Vault;

use darter_api::workspace as api;
use darter_core::{Fault, SnapshotId};
use darter_store::snapshot::Snapshot;

/// Repetitions of a request, each after a longer pause.
const RETRIES: usize = 6;

/// Where the data of snapshots is: in a bucket, or in a data directory.
pub(crate) fn vault(data: &std::path::Path, store: &SnapshotStore) -> Result<Vault, Fault> {
    if store.remote() {
        return bucket::Bucket::new(store, RETRIES).map(Vault::in_bucket).map_err(Fault::internal);
    }
    Ok(Vault::on_disk(data.join("snapshots")))
}

/// Does the bucket answer, and let us in? For `darter doctor`.
pub async fn answers(store: &SnapshotStore) -> std::io::Result<()> {
    bucket::Bucket::new(store, 1)?.answers().await
}

/// Something could not be kept.
fn unkept(error: std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            let message = "The server's disk is full, so the snapshot was not made. Ask the operator to make room.";
            Fault::new(darter_core::Kind::Unavailable, "server.disk_full", message).retry_after(60)
        }
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::PermissionDenied => unreachable(error),
        _ => Fault::internal(error),
    }
}

/// Something cannot be read: it is damaged, or its store does not answer, which is another matter.
fn unread(error: std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::PermissionDenied => unreachable(error),
        _ => damaged(error),
    }
}

fn unreachable(error: std::io::Error) -> Fault {
    let message = "The store of snapshots does not answer, or does not let the server in. Nothing was lost; try again later, \
                   or ask the operator to run `darter doctor`.";
    Fault::new(darter_core::Kind::Unavailable, "snapshot.store_unreachable", message).caused_by(error).retry_after(30)
}

fn shown(row: &Snapshot) -> api::Snapshot {
    api::Snapshot {
        id: row.id.to_string(),
        reason: row.reason,
        label: row.label.clone(),
        environment: row.environment.to_string(),
        files: row.files,
        bytes: row.bytes,
        stored_bytes: row.stored_bytes,
        created_at: row.created_at,
    }
}

fn not_found(id: &SnapshotId) -> Fault {
    let message = "This workspace has no such snapshot. It may have been removed to make room; load the list again.";
    Fault::not_found("snapshot.not_found", message).with("snapshot", id.as_str())
}

/// Something of what was kept is not as it was written.
fn damaged(what: impl std::fmt::Display) -> Fault {
    let message = "A part of this snapshot cannot be read. Ask the operator to check the server's disk; other snapshots may be whole.";
    Fault::new(darter_core::Kind::Unavailable, "snapshot.damaged", message).caused_by(what)
}

fn nothing_there() -> Fault {
    let message = "There is nothing at this path in the snapshot. Look into it and choose what is there.";
    Fault::not_found("snapshot.path_not_found", message)
}
