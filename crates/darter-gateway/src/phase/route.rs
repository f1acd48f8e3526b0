//! Phase 2: whose request is it? From memory only.

use std::net::IpAddr;
use std::sync::Arc;

use darter_core::function;
use http::Uri;

use crate::config::GatewayConfig;
use crate::context::Context;
use crate::directory::{AppRoute, Directory, RouteState};
use crate::page::Problem;
use crate::workspace::{self, Spot};

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Target {
    Console,
    App(Arc<AppRoute>),
    Workspace(Spot),
    /// The shared host of environments' files.
    Assets,
    Nowhere(Problem),
}

/// Decides by the host alone.
pub(crate) fn route(config: &GatewayConfig, directory: &dyn Directory, context: &Context) -> Target {
    let host = context.host.as_str();
    if host == config.domain || host == "localhost" || host.parse::<IpAddr>().is_ok() {
        return Target::Console;
    }
    let label = host.strip_suffix(config.apps_domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
    let target = match label {
        Some(label) if label.contains('.') => None,
        Some(workspace::ASSETS) => Some(Target::Assets),
        Some(label) => {
            directory.by_label(label).map(Target::App).or_else(|| workspace::spot(label).map(Target::Workspace))
        }
        None => directory.by_domain(host).map(Target::App),
    };
    target.unwrap_or_else(|| {
        Target::Nowhere(Problem::new(
            404,
            "app.not_found",
            "No app lives at this address. Check the address; the app may have been deleted or renamed.",
        ))
    })
}

/// Refuses apps that their owner has stopped.
pub(crate) fn check_state(app: &AppRoute) -> Result<(), Problem> {
    match app.state {
        RouteState::Running => Ok(()),
        RouteState::Stopped => Err(Problem::new(
            503,
            "app.stopped",
            "The owner has stopped this app. It answers again when the owner starts it.",
        )),
    }
}

/// What the runtime is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Path and query as received, without a version.
    pub target: String,
    /// The function and version of `/<name>@<version>`.
    pub version: Option<(String, u32)>,
}

/// Reads the target. It stays as the client wrote it but for the version.
pub(crate) fn address(uri: &Uri) -> Address {
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let version = path.rsplit_once('@').and_then(|(name, number)| {
        let name = name.strip_prefix('/')?;
        function::validate_name(name).ok()?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        let number: u32 = number.parse().ok().filter(|_| digits)?;
        Some((name.to_owned(), number))
    });
    let path = version.as_ref().map_or(path, |(name, _)| &path[..=name.len()]);
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Address { target, version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_version_has_an_address_of_its_own() {
        let none = |target: &str| Address { target: target.into(), version: None };
        let some =
            |target: &str, name: &str, number| Address { target: target.into(), version: Some((name.into(), number)) };
        for (uri, expected) in [
            ("/hello", none("/hello")),
            ("/hello?x=1@2", none("/hello?x=1@2")),
            ("/hello@3", some("/hello", "hello", 3)),
            ("/api/users@12?a=b", some("/api/users?a=b", "api/users", 12)),
            ("/hello@0", none("/hello@0")),
            ("/hello@03", none("/hello@03")),
            ("/hello@x", none("/hello@x")),
            ("/hello@-1", none("/hello@-1")),
            ("/hello@99999999999", none("/hello@99999999999")),
            ("/@3", none("/@3")),
            ("/a/../b@3", none("/a/../b@3")),
            ("/me@example.org", none("/me@example.org")),
            ("http://host", none("/")),
            ("http://host?x", none("/?x")),
            ("/%2e%2e/a//b?%00", none("/%2e%2e/a//b?%00")),
        ] {
            assert_eq!(address(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
