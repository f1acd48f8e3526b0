//! Functions, drafts and versions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A function, without its source.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FunctionSummary {
    pub id: String,
    pub name: String,
    pub description: String,
    pub methods: Vec<String>,
    /// The live version's number, or absent: never published.
    #[serde(default)]
    pub live_version: Option<u32>,
    /// The draft differs from the live version.
    pub changed: bool,
    pub updated_at: i64,
    pub updated_by: String,
    pub url: String,
}

/// A function with its draft. Answers carry `ETag: "<revision>"`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Function {
    #[serde(flatten)]
    pub summary: FunctionSummary,
    /// The draft.
    pub source: String,
    /// Changes with every save; send it back as `If-Match: "<revision>"`.
    pub revision: i64,
    pub created_at: i64,
}

/// `POST /apps/{app}/functions`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFunction {
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    /// All methods unless told.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// A hello-world unless told.
    #[serde(default)]
    pub source: Option<String>,
}

/// `PATCH /apps/{app}/functions/{name}` with `If-Match`. Absent fields stay. A new `name` renames.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFunction {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    #[serde(default)]
    pub source: Option<String>,
}

/// `POST …/publish`. With `If-Match`: only if the draft is still that revision.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// What changed, for the list of versions; at most 500 characters.
    #[serde(default)]
    pub message: Option<String>,
    /// Save this source as the draft first (one call instead of two).
    #[serde(default)]
    pub source: Option<String>,
}

/// One immutable version, without its source.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Version {
    pub number: u32,
    pub live: bool,
    pub author: String,
    pub message: String,
    pub digest: String,
    pub source_bytes: u64,
    pub created_at: i64,
    /// This version's own address.
    pub url: String,
}

/// One version with its source.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionSource {
    #[serde(flatten)]
    pub version: Version,
    pub source: String,
}

/// What a publish did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Published {
    pub version: Version,
    /// Microseconds of each phase: `compile`, `store`, `swap`.
    pub phases: Vec<Phase>,
    /// Functions that it imports and that do not exist or are not published yet.
    pub warnings: Vec<String>,
}

/// A named duration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Phase {
    pub name: String,
    pub us: u64,
}

/// `POST …/rollback`: makes an old version live again, as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    pub version: u32,
}

/// A place in a source that the compiler refused. In `error.details.diagnostics`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// From 1.
    pub line: u32,
    /// From 1, in UTF-16 units.
    pub column: u32,
    pub message: String,
}

/// `GET …/diff?from=1&to=2` (0: the draft).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    pub from: u32,
    pub to: u32,
    /// Unified diff; empty when they are the same.
    pub unified: String,
}
