//! The committed description of the API is the one that the routes make, and what it says hangs together.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::collections::BTreeSet;

use serde_json::Value;

#[test]
fn the_committed_description_is_the_one_that_the_routes_make() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == darter_http::openapi_json(),
        "docs/reference/openapi.json is not what the routes make: run `make generate` and commit it"
    );
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(|(_, method, _)| *method != "parameters").collect()
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_its_errors_look_like() {
    let document: Value = serde_json::from_str(&darter_http::openapi_json()).unwrap();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} is used twice, the second time at {method} {path}");
        let error = &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(error, "#/components/schemas/ErrorBody", "{method} {path}");
        let about = operation["summary"].as_str().unwrap_or_default();
        assert!(!about.is_empty(), "{method} {path} does not say what it does");
    }
    assert!(names.len() > 60, "{}", names.len());
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_shape_that_is_named_is_described() {
    let document: Value = serde_json::from_str(&darter_http::openapi_json()).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{reference} leads nowhere");
    }
}
