//! `[mail]`

use serde::{Deserialize, Serialize};

use super::Secret;
use super::key::{Key, Kind, Problem};

/// How mails are sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: String,
    pub username: String,
    pub password: Secret,
    pub from: String,
    pub folder: String,
}

pub const KEYS: &[Key] = &[
    Key::new("host", Kind::Text, "the SMTP server; empty: no mails"),
    Key::new("port", Kind::Number, "its port"),
    Key::new("security", Kind::Text, "starttls, tls, or none (only for a server on this machine)"),
    Key::new("username", Kind::Text, "empty: no sign-in"),
    Key::new("password", Kind::Secret, "the password for it"),
    Key::new("from", Kind::Text, "the sender, e.g. Darter <darter@example.org>"),
    Key::new("folder", Kind::Text, "instead of a server: a folder that gets a file for each mail, to try things out"),
];

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            security: "starttls".into(),
            username: String::new(),
            password: Secret::default(),
            from: String::new(),
            folder: String::new(),
        }
    }
}

impl Mail {
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !matches!(self.security.as_str(), "starttls" | "tls" | "none") {
            let what = format!("{:?} is no kind of security", self.security);
            problems.push(Problem::new("mail.security", what, "write starttls, tls or none"));
        }
        problems
    }
}
