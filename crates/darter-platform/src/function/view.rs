//! Functions and versions as the API shows them.

use darter_api::function as api;
use darter_core::{AppId, Fault};
use darter_store::function::{Function, FunctionSummary};
use darter_store::version::Version;

use crate::Platform;
use crate::app::app_url;

/// What the answer is when an app has no such function.
pub(crate) fn not_found(name: &str) -> Fault {
    let shown: String = name.chars().take(256).collect();
    Fault::not_found(
        "function.not_found",
        format!("This app has no function \"{shown}\". Check the name, or create it."),
    )
}

pub(super) fn version_not_found(name: &str, number: u32) -> Fault {
    Fault::not_found(
        "function.version_not_found",
        format!("{name} has no version {number}. See the list of its versions."),
    )
}

pub(super) fn summary(platform: &Platform, function: &FunctionSummary) -> api::FunctionSummary {
    api::FunctionSummary {
        id: function.id.to_string(),
        name: function.name.clone(),
        description: function.description.clone(),
        methods: function.methods.clone(),
        live_version: function.live_version,
        changed: function.live_digest.as_deref() != Some(&function.digest),
        updated_at: function.updated_at,
        updated_by: function.updated_by_name.clone(),
        url: format!("{}/{}", app_url(platform, &function.app), function.name),
    }
}

pub(super) fn show(platform: &Platform, function: Function) -> api::Function {
    api::Function {
        summary: summary(platform, &function.summary),
        revision: function.summary.revision,
        created_at: function.summary.created_at,
        source: function.source,
    }
}

pub(super) fn version(platform: &Platform, (app, name): (&AppId, &str), version: Version) -> api::Version {
    api::Version {
        url: format!("{}/{name}@{}", app_url(platform, app), version.number),
        number: version.number,
        live: version.live,
        author: version.author,
        message: version.message,
        digest: version.digest,
        source_bytes: version.source_bytes,
        created_at: version.created_at,
    }
}
