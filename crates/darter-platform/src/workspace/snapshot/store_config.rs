//! Where the operator wants the data of snapshots: on this server's disk, or in an S3 bucket. Secrets are never shown.

use serde::Deserialize;

use crate::config::{ConfigProblem, SecretText};

/// The section `[snapshots]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotStore {
    /// `local` or `s3`.
    pub store: String,
    pub bucket: String,
    /// Empty: Amazon's own of the region.
    pub endpoint: String,
    pub region: String,
    /// Before every name, so that a bucket can be shared.
    pub prefix: String,
    /// Empty: the machine's own role.
    pub access_key: String,
    pub secret_key: SecretText,
    /// The bucket is in the path and not in the host name.
    pub path_style: bool,
}

impl Default for SnapshotStore {
    fn default() -> Self {
        Self {
            store: "local".into(),
            bucket: String::new(),
            endpoint: String::new(),
            region: "us-east-1".into(),
            prefix: String::new(),
            access_key: String::new(),
            secret_key: SecretText::default(),
            path_style: true,
        }
    }
}

impl SnapshotStore {
    /// Is it a bucket?
    pub fn remote(&self) -> bool {
        self.store == "s3"
    }

    /// Everything that can not be.
    pub fn validate(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, what: String, fix| {
            problems.push(ConfigProblem { key: format!("snapshots.{key}"), what, fix });
        };
        if !matches!(self.store.as_str(), "local" | "s3") {
            wrong("store", format!("{:?} is no place for snapshots", self.store), "write local or s3");
        }
        if self.remote() && self.bucket.is_empty() {
            wrong("bucket", "a bucket is needed for s3".into(), "name a bucket that exists");
        }
        let address = url::Url::parse(&self.endpoint);
        if !self.endpoint.is_empty() && !address.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            wrong("endpoint", format!("{:?} is no address", self.endpoint), "write e.g. https://s3.example.org");
        }
        if self.access_key.is_empty() != self.secret_key.is_empty() {
            wrong("secret_key", "an access key needs its secret and the other way round".into(), "set both or none");
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named_by_its_key() {
        assert_eq!(SnapshotStore::default().validate(), Vec::new());
        let wrong = SnapshotStore {
            store: "s3".into(),
            endpoint: "minio".into(),
            access_key: "a".into(),
            ..SnapshotStore::default()
        };
        let keys: Vec<String> = wrong.validate().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["snapshots.bucket", "snapshots.endpoint", "snapshots.secret_key"]);
    }
}
