//! Addresses of workspaces: from one to what it means, and back. Only addresses of ours mean something: nothing here ever
//! sends a browser anywhere else.

use darter_core::workspace::Door;
use darter_core::{Fault, WorkspaceId};
use url::{Url, form_urlencoded};

use crate::Platform;

/// Longest path that a browser is sent back to.
const PATH_LIMIT: usize = 2_048;

/// What a host name means: a workspace's editor, or one port of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spot {
    pub id: WorkspaceId,
    pub port: Option<u16>,
}

impl Spot {
    /// The door behind it.
    pub fn door(&self) -> Door {
        self.port.map_or(Door::Editor, Door::Port)
    }
}

/// Reads a label of the apps domain: `<username>-<id>` or `<port>-<id>`. Only the id and a number before it count.
pub(crate) fn spot_of_label(label: &str) -> Option<Spot> {
    let (decoration, id) = label.rsplit_once('-')?;
    let digits = !decoration.is_empty() && decoration.bytes().all(|byte| byte.is_ascii_digit());
    let port = decoration.parse().ok().filter(|port| digits && *port != 0);
    Some(Spot { id: id.parse().ok()?, port })
}

/// A whole address of a workspace of this server, as a spot and a path on it. Anything else is refused.
pub(super) fn read(platform: &Platform, address: &str) -> Result<(Spot, String), Fault> {
    let config = &platform.config;
    let ours = Url::parse(address).ok().and_then(|url| {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let label = url.host_str()?.strip_suffix(&config.apps_domain)?.strip_suffix('.')?;
        let plain = url.scheme() == config.scheme() && port == config.port() && url.username().is_empty();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        (plain && url.password().is_none()).then_some((spot_of_label(label)?, format!("{}{query}", url.path())))
    });
    let (spot, path) = ours.ok_or_else(|| {
        Fault::invalid(
            "door.address_invalid",
            "This is not the address of a workspace of this server. Open it from your list of workspaces.",
        )
    })?;
    Ok((spot, path_on_host(&path)))
}

/// A path on a host and nothing else: `//evil.test` and `/\evil.test` are hosts to a browser.
pub(super) fn path_on_host(path: &str) -> String {
    let plain = path.len() <= PATH_LIMIT
        && path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && !path.bytes().any(|byte| byte < 0x20);
    if plain { path.to_owned() } else { "/".to_owned() }
}

/// Where a spot is, without a slash at the end.
pub(super) fn url(platform: &Platform, spot: &Spot, owner_name: &str) -> String {
    let addresses = crate::workspace::view::addresses(platform, owner_name, &spot.id);
    match spot.port {
        Some(port) => addresses.port.replace("{{port}}", &port.to_string()),
        None => addresses.editor,
    }
}

/// The address on a spot's host that trades a code for entry.
pub(super) fn entrance(platform: &Platform, spot: &Spot, (owner_name, code): (&str, &str)) -> String {
    format!("{}/.darter/enter?code={code}", url(platform, spot, owner_name))
}

/// The console's address that asks who somebody is and sends them back to `to`, a whole address of a workspace.
pub fn console_address(platform: &Platform, to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    format!("{}/enter?{query}", platform.config.public_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_counts_and_a_number_before_it_is_a_port() {
        let rows = [
            ("ada-abcdefghjk", Some(None)),
            ("ada-lovelace-abcdefghjk", Some(None)),
            ("3000-abcdefghjk", Some(Some(3_000))),
            ("65536-abcdefghjk", Some(None)),
            ("abcdefghjk", None),
            ("ada-short", None),
        ];
        for (label, port) in rows {
            assert_eq!(spot_of_label(label).map(|spot| spot.port), port, "{label}");
        }
    }

    #[test]
    fn a_way_back_stays_on_its_host() {
        for (path, expected) in
            [("/a?b=c", "/a?b=c"), ("//evil.test", "/"), ("/\\evil.test", "/"), ("x", "/"), ("/a\r\nb", "/")]
        {
            assert_eq!(path_on_host(path), expected, "{path:?}");
        }
        assert_eq!(path_on_host(&format!("/{}", "a".repeat(PATH_LIMIT))), "/");
    }
}
