//! What a label of the apps domain means for workspaces: `<username>-<id>`, `<port>-<id>`, `assets`.

use darter_core::WorkspaceId;

use super::doors::Spot;

/// The label of the host that serves every environment's files: one for all workspaces, so that the second one finds a
/// warm browser cache.
pub(crate) const ASSETS: &str = "assets";

/// Reads a label. Only the last part counts; what stands before it is decoration, unless it is a number: then a port.
/// A bare id is an app's.
pub(crate) fn spot(label: &str) -> Option<Spot> {
    let (decoration, id) = label.rsplit_once('-')?;
    let id: WorkspaceId = id.parse().ok()?;
    Some(Spot { id, port: port(decoration) })
}

/// A user name begins with a letter, so a number is always a port.
fn port(decoration: &str) -> Option<u16> {
    let digits = !decoration.is_empty() && decoration.bytes().all(|byte| byte.is_ascii_digit());
    decoration.parse().ok().filter(|port| digits && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_counts_and_a_number_before_it_is_a_port() {
        for (label, port) in [
            ("abcdefghjk", None),
            ("ada-abcdefghjk", Some(None)),
            ("ada-lovelace-abcdefghjk", Some(None)),
            ("3000-abcdefghjk", Some(Some(3000))),
            ("65535-abcdefghjk", Some(Some(65_535))),
            ("65536-abcdefghjk", Some(None)),
            ("0-abcdefghjk", Some(None)),
            ("-abcdefghjk", Some(None)),
            ("ada", None),
            ("ada-3bcdefghjk", None),
            ("ada-abcdefghj", None),
            ("", None),
        ] {
            assert_eq!(spot(label).map(|spot| spot.port), port, "{label}");
        }
    }
}
