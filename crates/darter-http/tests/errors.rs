//! Every error code of the program is in `docs/reference/errors.md` with its statuses, and nothing else is.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Codes = BTreeMap<String, BTreeSet<u16>>;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Crates that are no part of the API: the front door has a page of its own.
const ELSEWHERE: [&str; 2] = ["darter-gateway", "darter-testkit"];

fn status(kind: &str) -> Option<u16> {
    Some(match kind {
        "invalid" | "Invalid" => 400,
        "unauthenticated" | "Unauthenticated" => 401,
        "forbidden" | "Forbidden" => 403,
        "not_found" | "NotFound" => 404,
        "conflict" | "Conflict" => 409,
        "Stale" => 412,
        "TooLarge" => 413,
        "RateLimited" => 429,
        "Unavailable" => 503,
        "Timeout" => 504,
        _ => return None,
    })
}

/// The code and the status of the fault that is made here: `Fault::` is cut off.
fn made(text: &str) -> Option<(&str, u16)> {
    let (constructor, rest) = text.split_once('(')?;
    let kind = match constructor {
        "new" => rest.split_once("Kind::")?.1.split(',').next()?.trim(),
        other => other,
    };
    let (before, rest) = rest.split_once('"')?;
    // Only a kind may stand before the code.
    let plain =
        before.chars().all(|letter| letter.is_alphanumeric() || letter.is_whitespace() || "_:,".contains(letter));
    let code = rest.split('"').next()?;
    let shaped =
        code.split('.').count() == 2 && code.chars().all(|letter| letter.is_ascii_lowercase() || "._".contains(letter));
    (plain && shaped).then_some((code, status(kind)?))
}

fn collect(folder: &Path, codes: &mut Codes) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for (code, status) in text.split("Fault::").skip(1).filter_map(made) {
                codes.entry(code.to_owned()).or_default().insert(status);
            }
        }
    }
}

fn in_the_program() -> Codes {
    let mut codes = Codes::from([("server.internal".to_owned(), BTreeSet::from([500]))]);
    for entry in fs::read_dir(Path::new(ROOT).join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let source = path.join("src");
        if source.is_dir() && !ELSEWHERE.iter().any(|name| path.ends_with(name)) {
            collect(&source, &mut codes);
        }
    }
    codes
}

fn in_the_reference() -> Codes {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/reference/errors.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (code, rest) = row.split_once("` |").unwrap();
        let (statuses, about) = rest.split_once('|').unwrap();
        assert!(about.trim_matches([' ', '|']).len() > 20, "{code} is not explained");
        (code.to_owned(), statuses.split(',').map(|status| status.trim().parse().unwrap()).collect())
    })
    .collect()
}

#[test]
fn every_code_is_in_the_reference_with_its_statuses() {
    let (program, reference) = (in_the_program(), in_the_reference());
    assert!(program.len() > 100, "the search found only {}", program.len());
    for (code, statuses) in &program {
        assert_eq!(reference.get(code), Some(statuses), "{code}: correct docs/reference/errors.md");
    }
    for code in reference.keys() {
        assert!(
            program.contains_key(code),
            "{code} is no longer in the program: take it out of docs/reference/errors.md"
        );
    }
}
