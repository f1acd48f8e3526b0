//! What is wrong with a source, and where, in words for its author.

use std::fmt;

use oxc::diagnostics::OxcDiagnostic;
use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl Diagnostic {
    /// A message at a byte of the source.
    pub(crate) fn at(source: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
        Self {
            line: count(before.bytes().filter(|byte| *byte == b'\n').count()),
            column: count(before[line_start..].chars().count()),
            message: message.into(),
        }
    }

    /// The parser's own words, with its hint, at its first label.
    pub(crate) fn from_oxc(source: &str, diagnostic: &OxcDiagnostic) -> Self {
        let offset = diagnostic.labels.first().map_or(0, |label| label.offset() as usize);
        let mut message = diagnostic.message.to_string();
        if !message.ends_with(['.', '!', '?']) {
            message.push('.');
        }
        if let Some(help) = &diagnostic.help {
            message.push(' ');
            message.push_str(help);
        }
        Self::at(source, offset, message)
    }
}
