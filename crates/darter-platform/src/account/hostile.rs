//! The private readers of [`crate::hostile::text`] about accounts.

use super::rules;

/// Names, addresses, passwords.
pub(crate) fn rules(text: &str) {
    if let Ok(name) = rules::username(text, true) {
        assert!(rules::username(&name, true).is_ok_and(|again| again == name), "a name has one form: {name:?}");
    }
    if let Ok(address) = rules::email(text) {
        assert!(rules::email(&address).is_ok_and(|again| again == address), "an address has one form: {address:?}");
        assert!(!address.contains(['\r', '\n', '<', '>']), "an address stays on its line: {address:?}");
    }
    if let Ok(name) = rules::display_name(Some(text), "ada") {
        assert!(!name.chars().any(char::is_control), "a name is printable: {name:?}");
    }
    let _ = rules::password(text, &[text]);
    let _ = super::ssh_keys::parse(text);
}
