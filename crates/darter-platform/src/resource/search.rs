//! Looking for a package while writing an app's list of dependencies. Whoever may change the list may look.

use darter_api::resource as api;
use darter_core::role::Action;
use darter_core::{AppId, Fault};

use super::name::is_package_name;
use crate::access::Opened;
use crate::{Actor, Platform};

/// Longest text that is looked for, in characters.
const TEXT_LIMIT: usize = 100;

/// Packages of the operator's registry that fit the text.
pub async fn search_packages(
    platform: &Platform,
    actor: &Actor,
    app: &AppId,
    text: &str,
) -> Result<api::PackageSearch, Fault> {
    let account = Opened::read_as(platform, actor, app, Action::Edit).await?.account;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TEXT_LIMIT || text.chars().any(char::is_control) {
        return Err(Fault::invalid(
            "dependency.search_invalid",
            format!("Look for 1 to {TEXT_LIMIT} characters of a package's name or description."),
        ));
    }
    let registry = &platform.apps.packages;
    registry.admit(&account, platform.clock.now())?;
    if let Some(items) = registry.search(text).await? {
        return Ok(api::PackageSearch { searchable: true, items });
    }
    let exact = if is_package_name(text) { registry.newest(text).await? } else { None };
    Ok(api::PackageSearch { searchable: false, items: exact.into_iter().collect() })
}
