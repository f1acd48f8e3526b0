//! Names in JSON. A name is bytes; where it is no UTF-8 a readable likeness stands beside the bytes as base64.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Puts `key` (and `<key>_b64`, where needed) into an object.
pub(crate) fn put(object: &mut Map<String, Value>, key: &str, name: &OsStr) {
    match name.to_str() {
        Some(text) => object.insert(key.into(), text.into()),
        None => {
            object.insert(format!("{key}_b64"), STANDARD.encode(name.as_bytes()).into());
            object.insert(key.into(), name.to_string_lossy().into())
        }
    };
}

/// `[name, type]`, of a link `[name, "link", target]`, of a name that is no UTF-8 `[likeness, type, target, bytes]`.
pub(crate) fn tuple(name: &OsStr, kind: &str, target: Option<&str>) -> Value {
    let mut items = vec![Value::from(name.to_string_lossy()), kind.into()];
    let odd = name.to_str().is_none();
    if odd || kind == "link" {
        items.push(target.into());
    }
    if odd {
        items.push(STANDARD.encode(name.as_bytes()).into());
    }
    Value::Array(items)
}
