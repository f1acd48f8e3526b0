//! `[snapshots]`

use darter_platform::SecretText;
use darter_platform::workspace::snapshot::SnapshotStore;
use serde::{Deserialize, Serialize};

use super::Secret;
use super::key::{Key, Kind};

/// Where the data of snapshots is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshots {
    pub store: String,
    pub bucket: String,
    pub endpoint: String,
    pub region: String,
    pub prefix: String,
    pub access_key: String,
    pub secret_key: Secret,
    pub path_style: bool,
}

pub const KEYS: &[Key] = &[
    Key::new(
        "store",
        Kind::Text,
        "local: in the data directory; s3: in a bucket. What is in the other one does not move",
    ),
    Key::new("bucket", Kind::Text, "of s3: a bucket that exists"),
    Key::new(
        "endpoint",
        Kind::Text,
        "the store's address, e.g. https://s3.example.org; empty: Amazon's own of the region",
    ),
    Key::new("region", Kind::Text, "the bucket's region; many other stores take any"),
    Key::new("prefix", Kind::Text, "before every name, so that a bucket can be shared"),
    Key::new("access_key", Kind::Text, "who asks; empty: the machine's own role at Amazon"),
    Key::new("secret_key", Kind::Secret, "the secret of the access key"),
    Key::new("path_style", Kind::Flag, "the bucket is in the path of an address and not in its host"),
];

impl Default for Snapshots {
    fn default() -> Self {
        let usual = SnapshotStore::default();
        Self {
            store: usual.store,
            bucket: usual.bucket,
            endpoint: usual.endpoint,
            region: usual.region,
            prefix: usual.prefix,
            access_key: usual.access_key,
            secret_key: Secret::default(),
            path_style: usual.path_style,
        }
    }
}

impl Snapshots {
    /// As the platform is told it.
    pub fn config(&self) -> SnapshotStore {
        SnapshotStore {
            store: self.store.clone(),
            bucket: self.bucket.clone(),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            prefix: self.prefix.clone(),
            access_key: self.access_key.clone(),
            secret_key: SecretText::new(self.secret_key.reveal()),
            path_style: self.path_style,
        }
    }
}
