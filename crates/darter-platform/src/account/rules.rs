//! What user names, addresses, passwords and display names look like. Pure.

use darter_core::Fault;

/// Names that would be mistaken for the server, its parts or its people.
const RESERVED: [&str; 18] = [
    "admin",
    "administrator",
    "api",
    "app",
    "apps",
    "console",
    "darter",
    "help",
    "localhost",
    "mail",
    "root",
    "security",
    "server",
    "staff",
    "status",
    "support",
    "system",
    "www",
];

/// 3 to 32 of `a-z 0-9 -`, a letter first, no hyphen last. `first`: the first account may be called `admin`.
pub fn username(name: &str, first: bool) -> Result<String, Fault> {
    let name = name.trim().to_ascii_lowercase();
    let shaped = (3..=32).contains(&name.len())
        && name.as_bytes()[0].is_ascii_lowercase()
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !shaped {
        let message = "A user name has 3 to 32 lower-case letters, digits and '-', a letter first and no '-' last.";
        return Err(Fault::invalid("account.username_invalid", message));
    }
    if !first && RESERVED.contains(&name.as_str()) {
        return Err(Fault::invalid(
            "account.username_reserved",
            "This user name is kept for the server. Choose another.",
        ));
    }
    Ok(name)
}

/// An address as it is stored and compared: trimmed, lower case. Whether it exists only a mail can tell.
pub fn email(address: &str) -> Result<String, Fault> {
    let address = address.trim().to_lowercase();
    let odd = |letter: char| {
        letter.is_control()
            || letter.is_whitespace()
            || matches!(letter, '<' | '>' | '"' | ',' | ';' | ':' | '\\' | '(' | ')')
    };
    let shaped = match address.split_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && local.len() <= 64
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with(['.', '-'])
                && !domain.ends_with(['.', '-'])
                && !domain.contains("..")
        }
        None => false,
    };
    if !shaped || address.len() > 254 || address.chars().any(odd) {
        return Err(Fault::invalid(
            "account.email_invalid",
            "This is not an e-mail address. Write one like ada@example.org.",
        ));
    }
    Ok(address)
}

/// 10 to 256 characters that are not the name or the address of whoever chooses them.
pub fn password(password: &str, known: &[&str]) -> Result<(), Fault> {
    let length = password.chars().count();
    if !(10..=256).contains(&length) {
        return Err(Fault::invalid(
            "account.password_length",
            "A password has 10 to 256 characters. A few random words are better than one clever one.",
        ));
    }
    let plain = password.to_lowercase();
    let mut letters = plain.chars();
    let same = letters.next().is_some_and(|first| letters.all(|letter| letter == first));
    if same || known.iter().any(|known| !known.is_empty() && plain == known.to_lowercase()) {
        return Err(Fault::invalid(
            "account.password_weak",
            "This password is the first that anybody would try. Choose another.",
        ));
    }
    Ok(())
}

/// 1 to 64 characters without control characters; what is given, or else the user name.
pub fn display_name(given: Option<&str>, username: &str) -> Result<String, Fault> {
    let name = given.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(username);
    if name.chars().count() > 64 || name.chars().any(|letter| letter.is_control() || is_invisible(letter)) {
        return Err(Fault::invalid(
            "account.display_name_invalid",
            "A display name has 1 to 64 characters, none of them invisible.",
        ));
    }
    Ok(name.to_owned())
}

/// Letters that turn the direction of text or can not be seen.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_labels_of_addresses() {
        for good in ["ada", "ada-l", "a12", &"a".repeat(32)] {
            assert_eq!(username(good, false).as_deref(), Ok(good));
        }
        assert_eq!(username(" Ada ", false).as_deref(), Ok("ada"));
        for bad in ["", "ab", "1ab", "-ab", "ab-", "a b", "ä12", "a.b", "../x", &"a".repeat(33)] {
            assert!(username(bad, true).is_err(), "{bad}");
        }
        assert_eq!(username("admin", false).map_err(|fault| fault.code), Err("account.username_reserved"));
        assert!(username("admin", true).is_ok());
    }

    #[test]
    fn addresses_are_compared_in_one_form() {
        assert_eq!(email(" Ada@Example.ORG ").as_deref(), Ok("ada@example.org"));
        for good in ["root@localhost", "a.b+c@example.co.uk"] {
            assert!(email(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@x",
            "a@",
            "a@b@c",
            "a b@c.de",
            "a@.de",
            "a@b..c",
            "a\n@b.de",
            "a@b.de>\r\nBcc: x",
            &format!("{}@b.de", "a".repeat(65)),
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_long_and_not_the_name() {
        assert!(password("correct horse", &["ada"]).is_ok());
        assert!(password(&"ä".repeat(128).replacen('ä', "b", 1), &[]).is_ok());
        let rows = [
            ("short", "account.password_length"),
            ("Ada-Lovelace", "account.password_weak"),
            ("aaaaaaaaaaaa", "account.password_weak"),
        ];
        for (text, code) in rows {
            assert_eq!(password(text, &["ada-lovelace"]).map_err(|fault| fault.code), Err(code), "{text}");
        }
        assert!(password(&"ab".repeat(129), &[]).is_err());
    }

    #[test]
    fn display_names_can_not_turn_text_around() {
        assert_eq!(display_name(None, "ada").as_deref(), Ok("ada"));
        assert_eq!(display_name(Some("  "), "ada").as_deref(), Ok("ada"));
        assert_eq!(display_name(Some(" Ada 🦋 "), "ada").as_deref(), Ok("Ada 🦋"));
        for bad in ["a\u{202e}b", "a\nb", &"a".repeat(65)] {
            assert!(display_name(Some(bad), "ada").is_err(), "{bad:?}");
        }
    }
}
