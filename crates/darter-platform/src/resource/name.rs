//! What names and values of variables, secrets and packages may look like. Pure.

use std::collections::BTreeMap;

use darter_core::{Fault, Kind};

/// Longest value of a variable or secret, in bytes.
pub const VALUE_LIMIT: usize = 64 << 10;
/// Variables (and as many secrets) of one app.
pub const COUNT_LIMIT: usize = 200;
/// Packages that one app may want.
pub const PACKAGE_LIMIT: usize = 200;

/// Names that the runtime sets itself, or that change how it runs.
const RESERVED: [&str; 14] = [
    "SERVER_SECRET",
    "APPID",
    "APP_ID",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_USE_ENV_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "HOME",
    "PATH",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LISTEN_FDS",
];

/// `[A-Za-z_][A-Za-z0-9_]{0,127}`, and not one of the runtime's own.
pub fn validate_variable(name: &str) -> Result<(), Fault> {
    let shaped = (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    if !shaped {
        return Err(Fault::invalid(
            "variable.name_invalid",
            "A name has 1 to 128 letters, digits and '_' and does not begin with a digit.",
        ));
    }
    if RESERVED.contains(&name) || name.starts_with("DARTER_") {
        return Err(Fault::invalid(
            "variable.name_reserved",
            format!("{name} is set by the runtime itself. Choose another name."),
        ));
    }
    Ok(())
}

/// At most 64 KiB and no NUL, which an environment can not hold.
pub fn validate_value(value: &str) -> Result<(), Fault> {
    if value.len() > VALUE_LIMIT {
        return Err(Fault::new(
            Kind::TooLarge,
            "variable.value_too_large",
            format!(
                "The value has {} bytes; the limit is {VALUE_LIMIT}. Keep large data in a file or a package.",
                value.len()
            ),
        ));
    }
    if value.contains('\0') {
        return Err(Fault::invalid(
            "variable.value_invalid",
            "The value contains a NUL character, which an environment can not hold. Remove it.",
        ));
    }
    Ok(())
}

/// npm's rules for names, and ranges that name versions or tags only: no address, path, alias or protocol.
pub fn validate_packages(packages: &BTreeMap<String, String>) -> Result<(), Fault> {
    if packages.len() > PACKAGE_LIMIT {
        return Err(Fault::invalid(
            "dependency.too_many",
            format!("These are {} packages; the limit is {PACKAGE_LIMIT}. Remove what is not needed.", packages.len()),
        ));
    }
    for (name, range) in packages {
        if !is_package_name(name) {
            return Err(Fault::invalid(
                "dependency.name_invalid",
                format!("\"{}\" is not a name of an npm package. Use its name as in the registry, e.g. lodash or @scope/name.", shown(name)),
            )
            .with("package", shown(name)));
        }
        if !is_range(range) {
            return Err(Fault::invalid(
                "dependency.range_invalid",
                format!("\"{}\" is not a range of versions for {name}. Use e.g. ^4.17.0, 1.2.3 or latest; addresses and paths are not possible.", shown(range)),
            )
            .with("package", name.as_str()));
        }
    }
    Ok(())
}

pub(super) fn is_package_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_', '-'])
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_' | b'~')
            })
    };
    let shaped = match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    shaped && name.len() <= 214 && !matches!(name, "node_modules" | "favicon.ico")
}

fn is_range(range: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'^' | b'~' | b'<' | b'>' | b'=' | b'|' | b'*' | b' ' | b'-' | b'+')
    };
    (1..=128).contains(&range.len()) && range.bytes().all(allowed) && range.trim() == range && !range.starts_with('-')
}

fn shown(text: &str) -> String {
    text.chars().take(80).filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_are_checked() {
        for good in ["A", "_a", "API_KEY", "a1", &"x".repeat(128)] {
            assert!(validate_variable(good).is_ok(), "{good}");
        }
        for bad in
            ["", "1A", "A-B", "A B", "Ä", "A=B", "A\0", &"x".repeat(129), "SERVER_SECRET", "NODE_OPTIONS", "DARTER_X"]
        {
            assert!(validate_variable(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn values_are_limited_in_size_and_hold_no_nul() {
        assert!(validate_value(&"v".repeat(VALUE_LIMIT)).is_ok());
        assert_eq!(validate_value(&"v".repeat(VALUE_LIMIT + 1)).unwrap_err().kind, Kind::TooLarge);
        assert!(validate_value("a\0b").is_err());
    }

    #[test]
    fn packages_come_from_the_registry_by_name_and_range_only() {
        let one = |name: &str, range: &str| validate_packages(&BTreeMap::from([(name.to_owned(), range.to_owned())]));
        for (name, range) in [
            ("lodash", "^4.17.21"),
            ("@a/b.c", "1.x || >=2.0.0 <3"),
            ("x", "latest"),
            ("x", "*"),
            ("x", "1.0.0-beta.1+b"),
        ] {
            assert!(one(name, range).is_ok(), "{name} {range}");
        }
        for name in ["", "..", "../x", "A", "@a", "@a/", "a/b", "-g", "x y", "x;rm", "node_modules", &"a".repeat(215)] {
            assert_eq!(one(name, "1").unwrap_err().code, "dependency.name_invalid", "{name:?}");
        }
        for range in [
            "",
            " 1",
            "file:../x",
            "git+ssh://h/x",
            "https://h/x.tgz",
            "npm:other@1",
            "workspace:*",
            "user/repo",
            "--flag",
            "1\n2",
            "$(id)",
        ] {
            assert_eq!(one("x", range).unwrap_err().code, "dependency.range_invalid", "{range:?}");
        }
    }
}
