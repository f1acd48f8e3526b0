//! Apps.

use darter_core::app::AppState;
use darter_core::limits::AppLimits;
use darter_core::role::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An app.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct App {
    pub id: String,
    pub name: String,
    /// `running`, `stopping`, `stopped`, `recycled`
    #[schema(value_type = String)]
    pub state: Standing,
    /// The caller's role: `viewer`, `editor`, `owner`.
    #[schema(value_type = String)]
    pub role: Role,
    /// Its address, e.g. `http://a1b2c3d4e5.darter-apps.localhost:7070`.
    pub url: String,
    pub functions: u32,
    #[schema(value_type = Object)]
    pub limits: AppLimits,
    /// What can be done now: `start`, `stop`, `restart`, `delete`, `restore`, `purge`, `edit`, `rename`.
    pub actions: Vec<String>,
    /// Changes with every change; send it back as `If-Match`.
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    #[serde(default)]
    pub recycled_at: Option<i64>,
    /// Absent in answers to changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
}

/// What an app does: what its owner wants, and what still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Running,
    /// Stopped: nothing new is served, and requests in flight have a moment to finish.
    Stopping,
    Stopped,
    Recycled,
}

impl Standing {
    /// `draining`: an instance still finishes what it has.
    pub fn of(wanted: AppState, draining: bool) -> Self {
        match wanted {
            AppState::Running => Self::Running,
            AppState::Stopped if draining => Self::Stopping,
            AppState::Stopped => Self::Stopped,
            AppState::Recycled => Self::Recycled,
        }
    }
}

/// The picture of an app's last 24 hours: 96 quarters of an hour, the oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Day {
    pub calls: Vec<u64>,
    pub errors: Vec<u64>,
}

/// `POST /apps`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApp {
    pub name: String,
}

/// `PATCH /apps/{app}`. Absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateApp {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub limits: Option<AppLimits>,
}

/// A custom domain.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Domain {
    pub host: String,
    /// Requests are served only when verified.
    pub verified: bool,
    /// Make a TXT record `_darter.<host>` with this value (or a CNAME to the app's address), then verify.
    pub challenge: String,
    pub created_at: i64,
}

/// `POST /apps/{app}/domains`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDomain {
    pub host: String,
}

/// A member of an app.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Member {
    pub account: String,
    pub username: String,
    pub display_name: String,
    #[serde(default)]
    pub avatar_url: Option<String>,
    #[schema(value_type = String)]
    pub role: Role,
    pub since: i64,
}

/// A running instance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    pub id: String,
    /// `starting`, `active`, `idle`, `frozen`, `stopping`
    pub state: String,
    pub since: i64,
    /// What comes next on the ladder, and when.
    #[serde(default)]
    pub next_state: Option<String>,
    #[serde(default)]
    pub next_at: Option<i64>,
    pub in_flight: u32,
    pub requests_total: u64,
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    pub cpu_usec: u64,
}
