//! The private readers of [`crate::hostile::text`] about variables and packages.

use std::collections::BTreeMap;

use super::name::{validate_packages, validate_value, validate_variable};

/// Names, values, ranges.
pub(crate) fn names(text: &str) {
    if validate_variable(text).is_ok() {
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "a plain name: {text:?}");
    }
    let _ = validate_value(text);
    if validate_packages(&BTreeMap::from([("lodash".to_owned(), text.to_owned())])).is_ok() {
        assert!(!text.contains([':', '/', '@', '#', '\'', '"', '$', '\n']), "a range and no address: {text:?}");
    }
    if validate_packages(&BTreeMap::from([(text.to_owned(), "1".to_owned())])).is_ok() {
        assert!(!text.contains("..") || !text.contains('/') || text.starts_with('@'), "a name and no path: {text:?}");
    }
}
