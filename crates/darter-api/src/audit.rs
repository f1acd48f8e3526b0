//! Who changed what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change. `GET /me/audit`, `GET /apps/{app}/audit`, and for an administrator `GET /audit`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: String,
    pub time: i64,
    /// Empty: the server itself, or nobody signed in.
    pub actor: String,
    pub actor_name: String,
    /// `noun.verb`, e.g. `function.publish`.
    pub operation: String,
    /// The object, e.g. `a1b2c3d4e5/hello`.
    pub object: String,
    #[serde(default)]
    pub app: Option<String>,
    pub address: String,
    pub request_id: String,
    /// Never a secret.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}
