//! The console's files, built into the program. Hashed names are kept for ever; every path that is no file is the page
//! itself, which finds its way. Only names that were built in exist: there is no way out of the folder.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use darter_core::{Fault, Kind};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/build"]
#[allow_missing = true]
struct Built;

const PAGE: &str = "index.html";

/// Shown when the program was built without the console.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Darter</title><h1>The console is not in this build</h1>\
<p>The server works, and so do its API (<a href=\"/api/openapi.json\">/api/openapi.json</a>) and the command line.</p>\
<p>To get the console, build it first (<code>make web</code>), then build <code>darter</code> again.</p></html>\n";

/// Serves a file, or the page.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        let message = "There is no such operation. See /api/openapi.json for those there are.";
        return Problem(Fault::not_found("request.no_such_operation", message)).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "Pages are only read: send a GET request. Operations are below /api/v1.";
        return Problem(Fault::new(Kind::NotFound, "request.no_such_operation", message)).into_response();
    }
    let name = path.trim_start_matches('/');
    let asset = name.starts_with("_app/");
    match file(if name.is_empty() { PAGE } else { name }, request.headers()) {
        Some(answer) => answer,
        // A script that is gone must not be answered by a page.
        None if asset => {
            (StatusCode::NOT_FOUND, "This file is not part of this version of the console. Load the page again.\n")
                .into_response()
        }
        None => file(PAGE, request.headers()).unwrap_or_else(not_built),
    }
}

fn not_built() -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, NOT_BUILT).into_response()
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    // The compressed forms are not files of their own.
    if name.ends_with(".br") || name.ends_with(".gz") {
        return None;
    }
    let plain = Built::get(name)?;
    let (found, encoding) = encoded(name, headers).map_or((plain, None), |(found, encoding)| (found, Some(encoding)));
    let immutable = name.starts_with("_app/immutable/");
    let tag = format!("\"{}\"", BASE64.encode(&found.metadata.sha256_hash()[..12]));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = Response::new(if known { Body::empty() } else { Body::from(found.data) });
    if known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    let out = answer.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::try_from(kind).ok()?);
    out.insert(ETAG, HeaderValue::try_from(tag).ok()?);
    out.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let cache = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    out.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Some(encoding) = encoding {
        out.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(answer)
}

/// The smallest form that the client takes.
fn encoded(name: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, &'static str)> {
    let takes = headers.get(ACCEPT_ENCODING).and_then(|takes| takes.to_str().ok()).unwrap_or_default();
    let takes = |wanted: &str| {
        takes.split(',').any(|one| {
            let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
            let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            coding.trim().eq_ignore_ascii_case(wanted) && !refused
        })
    };
    [("br", "br"), ("gzip", "gz")].into_iter().filter(|(coding, _)| takes(coding)).find_map(|(coding, ending)| {
        let found = Built::get(&format!("{name}.{ending}"))?;
        Some((found, coding))
    })
}

/// Digests of the scripts that stand in the page itself, for its content security policy.
pub fn inline_scripts() -> Vec<String> {
    let page = Built::get(PAGE).map(|page| String::from_utf8_lossy(&page.data).into_owned()).unwrap_or_default();
    scripts_of(&page)
}

fn scripts_of(page: &str) -> Vec<String> {
    let mut digests = Vec::new();
    for part in page.split("<script").skip(1) {
        let Some((attributes, rest)) = part.split_once('>') else { continue };
        let Some((script, _)) = rest.split_once("</script>") else { continue };
        if !attributes.contains("src=") {
            digests.push(BASE64.encode(Sha256::digest(script.as_bytes())));
        }
    }
    digests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_in_the_page_are_known_by_their_digest() {
        let page =
            "<script src=\"/a.js\"></script><script>alert(1)</script><p>x</p><script type=\"module\">\n1\n</script>";
        let digest = |text: &str| BASE64.encode(Sha256::digest(text.as_bytes()));
        assert_eq!(scripts_of(page), [digest("alert(1)"), digest("\n1\n")]);
    }

    #[tokio::test]
    async fn no_path_leads_out_of_the_folder() {
        for path in [
            "/../Cargo.toml",
            "/..%2f..%2fCargo.toml",
            "/%2e%2e/%2e%2e/Cargo.toml",
            "/_app/../../../Cargo.toml",
            "//etc/passwd",
        ] {
            let answer = serve(Request::builder().uri(path).body(Body::empty()).unwrap()).await;
            let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("[package]"), "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_no_operation_is_answered_as_such() {
        let answer = serve(Request::builder().uri("/api/v1/nothing").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 404);
        let answer = serve(Request::builder().uri("/_app/immutable/gone.js").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 404);
    }
}
