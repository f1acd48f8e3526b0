//! Rules about functions: names, methods, sizes. The same as Laf's where it has one.

use crate::fault::Fault;

/// Largest source, in bytes.
pub const SOURCE_LIMIT: usize = 512 * 1024;
/// Largest description, in characters.
pub const DESCRIPTION_LIMIT: usize = 256;
/// The methods that a function can allow.
pub const METHODS: [&str; 7] = ["HEAD", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
/// Names with a meaning of their own (see the functions guide).
pub const SPECIAL_NAMES: [&str; 4] = ["__init__", "__interceptor__", "__default__", "__websocket__"];

/// Checks a function's name: 1 to 256 of `a-z A-Z 0-9 _ . - /`, no slash at either end, no `.` or `..` part.
pub fn validate_name(name: &str) -> Result<(), Fault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/');
    let shaped = (1..=256).contains(&name.len())
        && name.bytes().all(allowed)
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.contains("./");
    if shaped {
        Ok(())
    } else {
        Err(Fault::invalid(
            "function.name_invalid",
            "A function's name has 1 to 256 letters, digits, '_', '.', '-' and '/', with no '/' at an end and no '.' or '..' between slashes.",
        ))
    }
}

/// Checks allowed methods: at least one, each known, none twice.
pub fn validate_methods(methods: &[String]) -> Result<(), Fault> {
    let known = methods.iter().all(|method| METHODS.contains(&method.as_str()));
    let unique = methods.iter().enumerate().all(|(index, method)| !methods[..index].contains(method));
    if !methods.is_empty() && known && unique {
        Ok(())
    } else {
        Err(Fault::invalid(
            "function.methods_invalid",
            format!("Choose at least one of {} and none twice.", METHODS.join(", ")),
        ))
    }
}

/// Checks a source's size.
pub fn validate_source(source: &str) -> Result<(), Fault> {
    if source.len() <= SOURCE_LIMIT {
        return Ok(());
    }
    Err(Fault::new(
        crate::Kind::TooLarge,
        "function.source_too_large",
        format!(
            "The source has {} bytes; the limit is {SOURCE_LIMIT}. Split it into several functions, or move data into a file or an npm package.",
            source.len()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", "/a", "a/", "..", "a/../b", "./a", "a//b", "a./b", "a b", "ä", "a\0", &"a".repeat(257)] {
            assert!(validate_name(bad).is_err(), "{bad:?}");
        }
        for good in ["hello", "api/v1/users", "__init__", "a.b-c_d", &"a".repeat(256)] {
            assert!(validate_name(good).is_ok(), "{good:?}");
        }
    }
}
