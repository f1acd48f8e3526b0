//! What belongs to an app besides code: variables, secrets, dependencies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An environment variable. Names: `[A-Za-z_][A-Za-z0-9_]{0,127}`; values at most 64 KiB.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Variable {
    pub name: String,
    pub value: String,
    pub updated_at: i64,
}

/// A secret, without its value: that is never shown again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Secret {
    pub name: String,
    pub updated_at: i64,
    pub updated_by: String,
}

/// `PUT /apps/{app}/environment/{name}` and `PUT /apps/{app}/secrets/{name}`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetValue {
    pub value: String,
}

/// `GET /apps/{app}/dependencies`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Dependencies {
    /// `name → range`, as wanted.
    pub packages: BTreeMap<String, String>,
    /// `name → version`, as installed.
    pub installed: BTreeMap<String, String>,
    #[serde(default)]
    pub digest: Option<String>,
    pub bytes: u64,
    /// The newest install, if there was one.
    #[serde(default)]
    pub install: Option<Install>,
    /// Packages that every app has without installing.
    pub built_in: BTreeMap<String, String>,
}

/// `PUT /apps/{app}/dependencies`: the whole wanted list. Starts an install.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDependencies {
    pub packages: BTreeMap<String, String>,
}

/// An install. Its lines come live from `GET /apps/{app}/dependencies/install/events` (server-sent events).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Install {
    pub id: String,
    /// `running`, `installed`, `failed`, `interrupted`
    pub state: String,
    /// `resolve`, `download`, `build`, `warm`, `store`
    pub phase: String,
    /// Why it failed, and what to do.
    #[serde(default)]
    pub message: Option<String>,
    pub output: Vec<String>,
    pub started_at: i64,
    #[serde(default)]
    pub ended_at: Option<i64>,
}

/// `GET /apps/{app}/dependencies/search?text=…`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageSearch {
    /// Can the operator's registry search? When it can not, `items` has the package of exactly this name, if there is one.
    pub searchable: bool,
    /// The best first.
    pub items: Vec<FoundPackage>,
}

/// A package of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundPackage {
    pub name: String,
    /// The newest version.
    pub version: String,
    /// The package's own words; may be empty.
    pub description: String,
}
