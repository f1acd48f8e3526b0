//! Which functions an instance was working for, in words for its owner.
//!
//! From what the platform itself sent: the requests on the wire, and the versions that the runtime was ordered to have.
//! Nothing that the runtime says is needed, or believed, here.

use std::collections::BTreeMap;

use darter_wire::Asked;

/// The function that takes what no other one is named for.
const FALLBACK: &str = "__default__";

/// Name → version, as ordered.
pub type Versions = BTreeMap<String, u32>;

/// `in flight: hello@3 (request …), …`; empty when nothing was. `total` counts those that are not listed, too.
pub fn words(asked: &[Asked], total: u32, versions: &Versions) -> String {
    if asked.is_empty() {
        return String::new();
    }
    let named: Vec<String> = asked.iter().map(|one| name(one, versions)).collect();
    let more = (total as usize).saturating_sub(asked.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(" In flight: {}{rest}.", named.join(", "))
}

fn name(asked: &Asked, versions: &Versions) -> String {
    let path = asked.path.strip_prefix('/').unwrap_or(&asked.path);
    let function = match (asked.pin.as_str(), versions.get(path), versions.get(FALLBACK)) {
        ("", Some(version), _) => format!("{path}@{version}"),
        ("", None, Some(version)) => format!("{FALLBACK}@{version} for {}", asked.path),
        ("", None, None) => asked.path.clone(),
        (pin, _, _) => format!("{path}@{pin}"),
    };
    format!("{function} (request {})", asked.request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, pin: &str) -> Asked {
        Asked { path: path.into(), pin: pin.into(), request_id: "req_1".into() }
    }

    #[test]
    fn functions_are_named_with_the_version_that_was_asked_or_ordered() {
        let mut versions = Versions::from([("a/b".to_owned(), 3)]);
        assert_eq!(words(&[], 0, &versions), "");
        let list = [asked("/a/b", ""), asked("/a/b", "2"), asked("/gone", "")];
        let text = words(&list, 12, &versions);
        assert_eq!(text, " In flight: a/b@3 (request req_1), a/b@2 (request req_1), /gone (request req_1) and 9 more.");
        versions.insert(FALLBACK.into(), 7);
        assert_eq!(words(&list[2..], 1, &versions), " In flight: __default__@7 for /gone (request req_1).");
    }
}
