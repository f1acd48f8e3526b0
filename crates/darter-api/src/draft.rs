//! Running a draft with a chosen request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::function::Phase;
use crate::log::LogLine;

/// `POST /apps/{app}/functions/{name}/run`: executes the draft, publishes nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunRequest {
    /// The source to run; the saved draft unless told.
    pub source: Option<String>,
    /// GET unless told.
    pub method: Option<String>,
    /// Raw query string without `?`.
    pub query: Option<String>,
    pub headers: BTreeMap<String, String>,
    /// Text as it is.
    pub body: Option<String>,
    /// Becomes `ctx.user`, signed with the app's own secret.
    #[schema(value_type = Option<Object>)]
    pub user: Option<serde_json::Value>,
}

/// What came back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunResult {
    pub request_id: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB; base64 when `base64` is true.
    pub body: String,
    pub base64: bool,
    pub truncated: bool,
    pub logs: Vec<LogLine>,
    pub duration_us: u64,
    /// Of a start, when one was needed, and of the run: `compile`, `pool`, `load`, `run` …
    pub phases: Vec<Phase>,
}
