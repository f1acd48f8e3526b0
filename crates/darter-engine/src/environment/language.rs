//! `[language-server.<name>]`: a program that a light editor may start when a file of its languages is opened.
//!
//! The page only ever says a name: what runs is what stands here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most that an environment has, with those of what it extends.
const MOST: usize = 64;
const LONGEST_NAME: usize = 32;

/// How one is started, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageServer {
    /// What the status bar calls it.
    pub title: String,
    /// Speaks the Language Server Protocol over its standard input and output.
    pub argv: Vec<String>,
    /// Besides what every program inside gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// VS Code's ids of its languages.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Ends of names, for languages that VS Code has no id for.
    #[serde(default)]
    pub files: Vec<String>,
    /// What it is told at its start (`initializationOptions`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub initialization: Map<String, Value>,
}

/// What is wrong with them, in words.
pub(super) fn check(servers: &BTreeMap<String, LanguageServer>) -> Result<(), String> {
    if servers.len() > MOST {
        return Err(format!("an environment has at most {MOST} language servers"));
    }
    for (name, server) in servers {
        if !is_name(name) {
            return Err(format!("[language-server.{name:?}]: a name is of a-z, 0-9 and -, at most {LONGEST_NAME}"));
        }
        if server.languages.is_empty() && server.files.is_empty() {
            return Err(format!("[language-server.{name}]: say what it is for: `languages` or `files`"));
        }
        if server.argv.iter().any(|word| word.contains('\0')) {
            return Err(format!("[language-server.{name}]: an argument holds a NUL"));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(known)
}
