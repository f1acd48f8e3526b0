//! Doors for editors on an app's own host, where Laf has them: the platform's service answers, not the app.
//!
//! Only the address changes here; who may come in is for the service to say. It must never take a path from functions
//! that is not listed.

use darter_core::AppId;
use http::Uri;
use http::uri::PathAndQuery;

/// What Laf's editors ask for.
const DOORS: [&str; 2] = ["/_/lsp", "/_/typing/package"];

/// The service's address of a door: `/_/apps/<app>/lsp` for `/_/lsp`.
pub(crate) fn door(uri: &Uri, app: &AppId) -> Option<Uri> {
    let name = DOORS.iter().find(|door| uri.path() == **door)?.strip_prefix("/_")?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("/_/apps/{app}{name}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_doors_lead_to_the_service() {
        let app: AppId = "abcdefghjk".parse().unwrap();
        for (uri, expected) in [
            ("/_/lsp", Some("/_/apps/abcdefghjk/lsp")),
            ("https://x.test/_/lsp?a=b", Some("https://x.test/_/apps/abcdefghjk/lsp?a=b")),
            (
                "/_/typing/package?packageName=%40%2Fhello",
                Some("/_/apps/abcdefghjk/typing/package?packageName=%40%2Fhello"),
            ),
            ("/_/healthz", None),
            ("/_/lsp/", None),
            ("/_/lsp/../x", None),
            ("//_/lsp", None),
            ("/lsp", None),
        ] {
            let found = door(&uri.parse().unwrap(), &app).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{uri}");
        }
    }
}
