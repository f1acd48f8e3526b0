//! `[accounts]`

use darter_api::account::SignUpMode;
use serde::{Deserialize, Serialize};

use super::key::{Key, Kind};

/// Who may come in. An administrator can change both in the console; what is set there wins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    pub signup: SignUpMode,
    pub apps_per_account: u32,
}

pub const KEYS: &[Key] = &[
    Key::new(
        "signup",
        Kind::Text,
        "open, invitation or closed; the first account can always be made. An administrator's choice in the console wins",
    ),
    Key::new(
        "apps_per_account",
        Kind::Number,
        "apps that one account may own. An administrator's choice in the console wins",
    ),
];

impl Default for Accounts {
    fn default() -> Self {
        Self { signup: SignUpMode::Open, apps_per_account: 50 }
    }
}
