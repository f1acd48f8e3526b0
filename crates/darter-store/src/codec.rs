//! Between the database's texts and numbers and the domain's types. A row that does not fit is damage, said as such.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, StoreError};

/// An id column.
pub fn id<T: FromStr>(text: String) -> Result<T> {
    text.parse().map_err(|_| StoreError::damaged("id", &text))
}

/// A column that holds an enum's word.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| StoreError::damaged("word", text))
}

/// An enum's word.
pub fn to_word<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(_) | Err(_) => Err(StoreError::damaged("word", "a value without a word")),
    }
}

/// A JSON column.
pub fn json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged("json", &error.to_string()))
}

/// JSON for a column.
pub fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged("json", &error.to_string()))
}

/// A count column: never negative, never over 32 bits.
pub fn count(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}
