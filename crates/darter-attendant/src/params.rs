//! What a request asks for, by name: the object of a JSON body, of a session's request, or of a query string. Strict: a
//! value of the wrong kind is a fault, never a guess. Paths are bytes; what is no UTF-8 comes as `<name>_b64`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::body::collect;
use crate::fault::Fault;

/// Largest JSON body.
pub(crate) const JSON_LIMIT: usize = 4 << 20;
/// Longest path; the kernel takes 4,096 at a time, a walk may be deeper.
const PATH_LIMIT: usize = 32 << 10;

/// The named values of a request.
#[derive(Debug, Default)]
pub(crate) struct Params(pub(crate) Map<String, Value>);

impl Params {
    /// Of a body.
    pub(crate) async fn of_body(body: Incoming) -> Result<Self, Fault> {
        let bytes = collect(body, JSON_LIMIT).await?;
        Self::of_json(&bytes)
    }

    pub(crate) fn of_json(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| Fault::invalid(format!("no JSON object: {error}")))
    }

    /// Of the query string. A path that is no UTF-8 travels as `%xx` and is kept as base64.
    pub(crate) fn of_query(uri: &Uri) -> Self {
        let mut map = Map::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bytes: Vec<u8> = percent_decode_str(value).collect();
            match String::from_utf8(bytes) {
                Ok(text) => map.insert(name.into(), Value::String(text)),
                Err(error) => map.insert(format!("{name}_b64"), Value::String(STANDARD.encode(error.as_bytes()))),
            };
        }
        Self(map)
    }

    /// An absolute path.
    pub(crate) fn path(&self, name: &str) -> Result<PathBuf, Fault> {
        self.path_if(name)?.ok_or_else(|| Fault::invalid(format!("`{name}` is missing: an absolute path")))
    }

    pub(crate) fn path_if(&self, name: &str) -> Result<Option<PathBuf>, Fault> {
        let bytes = match (self.text(name)?, self.text(&format!("{name}_b64"))?) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(encoded)) => decode(encoded)?,
            (None, None) => return Ok(None),
        };
        absolute(bytes).map(Some)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::invalid(format!("`{name}` is not a text"))),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) if matches!(text.as_str(), "1" | "true") => Ok(true),
            Some(Value::String(text)) if matches!(text.as_str(), "0" | "false") => Ok(false),
            Some(_) => Err(Fault::invalid(format!("`{name}` is neither true nor false"))),
        }
    }

    /// A whole number that is not negative. A query's numbers are texts.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| Fault::invalid(format!("`{name}` is not a whole number")))
    }

    /// A number that must be there and fit.
    pub(crate) fn id(&self, name: &str) -> Result<u32, Fault> {
        let number = self.number(name)?.and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| Fault::invalid(format!("`{name}` is missing: a number")))
    }

    /// Any other value, by its type; its default when it is absent.
    pub(crate) fn value<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, Fault> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => T::deserialize(value).map_err(|error| Fault::invalid(format!("`{name}`: {error}"))),
        }
    }
}

/// The bytes of base64.
pub(crate) fn decode(encoded: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(encoded).map_err(|error| Fault::invalid(format!("no base64: {error}")))
}

/// Bytes as an absolute path.
pub(crate) fn absolute(bytes: Vec<u8>) -> Result<PathBuf, Fault> {
    if bytes.len() > PATH_LIMIT {
        return Err(Fault::invalid(format!("a path has at most {PATH_LIMIT} bytes")));
    }
    if bytes.first() != Some(&b'/') || bytes.contains(&0) {
        return Err(Fault::invalid("a path starts with / and holds no NUL byte"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// The last part of a path, when it has one: `/`, `/a/..` have none.
pub(crate) fn last(path: &Path) -> Result<(&Path, &std::ffi::OsStr), Fault> {
    match (path.parent(), path.components().next_back()) {
        (Some(parent), Some(Component::Normal(name))) => Ok((parent, name)),
        _ => Err(Fault::invalid(format!("{} does not name an entry of a folder", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Params {
        Params::of_query(&format!("/v1/files?{text}").parse().unwrap())
    }

    #[test]
    fn a_path_of_any_bytes_survives_the_query() {
        let path = query("path=/a%20b/%FF%0Ac").path("path").unwrap();
        assert_eq!(path.as_os_str().as_encoded_bytes(), b"/a b/\xff\nc");
    }

    #[test]
    fn only_an_absolute_path_without_nul_is_one() {
        for text in ["path=", "path=a", "path=/a%00", "other=/a"] {
            assert_eq!(query(text).path("path").unwrap_err().code, "request.invalid", "{text}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_a_fault() {
        let params = Params::of_json(br#"{"a":1,"b":"x","c":-1,"d":1.5}"#).unwrap();
        assert!(params.text("a").is_err() && params.flag("b").is_err());
        assert!(params.number("c").is_err() && params.number("d").is_err());
        assert_eq!(params.number("a").unwrap(), Some(1));
        assert!(Params::of_json(b"[1]").is_err());
    }
}
