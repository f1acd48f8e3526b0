//! Snapshots of homes: made by the attendant from inside, kept by content, listed, looked into, restored.
//!
//! They are compressed and not encrypted, as the homes themselves are not: whoever reads the server's disk reads both.

mod browse;
mod make;
mod manifest;
mod pack;
mod restore;
mod room;
mod take;
mod vault;

pub use browse::{folder, get, list, read, remove};
pub(crate) use make::before;
pub use make::{make, make_due};
pub(crate) use restore::files_of;
pub use restore::restore;
pub(crate) use vault::Vault;

use darter_api::workspace as api;
use darter_core::{Fault, SnapshotId};
use darter_store::snapshot::Snapshot;

/// Where the data of snapshots is in a data directory.
pub(crate) fn vault(data: &std::path::Path) -> Vault {
    Vault::new(data.join("snapshots"))
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
