//! `[database]`

use serde::{Deserialize, Serialize};

use super::Secret;
use super::key::{Key, Kind, Problem};

/// Where control data is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    pub url: Secret,
}

pub const KEYS: &[Key] = &[Key::new(
    "url",
    Kind::Secret,
    "postgres://user:password@host/database; empty: SQLite in the data directory, which is right for one machine",
)];

impl Database {
    pub fn problems(&self) -> Vec<Problem> {
        let url = self.url.reveal();
        if url.is_empty() || url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Vec::new();
        }
        let fix = "write postgres://user:password@host/database, or nothing for SQLite";
        vec![Problem::new("database.url", "this is no address of a PostgreSQL database", fix)]
    }
}
