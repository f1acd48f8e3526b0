//! `[logs]`

use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem, within};

/// How much is kept; the oldest goes first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    pub app_bytes: u64,
    pub total_bytes: u64,
}

pub const KEYS: &[Key] = &[
    Key::new("app_bytes", Kind::Number, "bytes of logs kept for one app"),
    Key::new("total_bytes", Kind::Number, "bytes of logs kept for all apps together"),
];

impl Default for Logs {
    fn default() -> Self {
        Self { app_bytes: 64 << 20, total_bytes: 4 << 30 }
    }
}

impl Logs {
    pub fn problems(&self) -> Vec<Problem> {
        let app = within("logs.app_bytes", self.app_bytes, 1 << 20, 1 << 40);
        app.into_iter().chain(within("logs.total_bytes", self.total_bytes, 1 << 20, 1 << 50)).collect()
    }
}
