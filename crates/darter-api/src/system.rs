//! The server itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::SignUpMode;

/// `GET /system`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct System {
    pub version: String,
    pub apps_domain: String,
    /// Start of every address, e.g. `http` and `:7070`.
    pub scheme: String,
    pub port: String,
    /// Absent: this server takes no SSH.
    #[serde(default)]
    pub ssh: Option<SshDoor>,
}

/// Where workspaces are reached by SSH, and how one knows that it is the right server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshDoor {
    pub host: String,
    pub port: u16,
    /// As OpenSSH writes it: `ssh-ed25519 AAAA…`
    pub host_key: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// A line for `known_hosts`.
    pub known_hosts: String,
}

/// For an administrator: `GET /admin/settings`, `PATCH /admin/settings`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    pub signup: SignUpMode,
    /// Apps that one account may own.
    pub apps_per_account: u32,
}

/// `PATCH /admin/settings`. Absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSettings {
    #[serde(default)]
    pub signup: Option<SignUpMode>,
    #[serde(default)]
    pub apps_per_account: Option<u32>,
}

/// For an administrator: `GET /admin/accounts`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminAccount {
    pub id: String,
    pub username: String,
    pub email: String,
    pub administrator: bool,
    pub disabled: bool,
    pub apps: u32,
    pub created_at: i64,
    #[serde(default)]
    pub last_seen_at: Option<i64>,
}

/// For an administrator: `PATCH /admin/accounts/{account}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAdminAccount {
    #[serde(default)]
    pub administrator: Option<bool>,
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// `GET /admin/doctor`: the walls.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Wall {
    pub name: String,
    pub standing: bool,
    pub required: bool,
    pub detail: String,
    pub what_to_do: String,
}
