//! Answers are compressed where that helps: texts of some size. Event streams, pictures, archives and what is compressed
//! already stay as they are.

use http::header::CONTENT_TYPE;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

/// The layer.
pub fn layer() -> CompressionLayer<impl Predicate + Send + Sync + 'static> {
    let not_archive = |_: http::StatusCode, _: http::Version, headers: &http::HeaderMap, _: &http::Extensions| {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        !kind.starts_with("application/zip") && !kind.starts_with("font/")
    };
    CompressionLayer::new().compress_when(DefaultPredicate::new().and(not_archive))
}
