//! How a command ends when it does not end well. The numbers are a promise to scripts: they never change.

use std::fmt;

use darter_api::error::{ErrorBody, ErrorDetail};

use crate::command::output::{json_text, plain};

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The operation was understood and did not succeed.
    Failed = 1,
    /// The words of the command make no sense, or the configuration is wrong.
    Usage = 2,
    /// Nobody is signed in, the token is not valid, or it may not do this.
    NotSignedIn = 3,
    /// The object does not exist, or it belongs to somebody else.
    NotFound = 4,
    /// The object is in another state, exists already, or was changed by somebody else.
    Conflict = 5,
    /// The server did not answer.
    Unreachable = 6,
}

impl Exit {
    /// Every code with its meaning, for the reference page.
    pub const ALL: &'static [(Exit, &'static str)] = &[
        (Exit::Failed, "the operation was understood and did not succeed"),
        (Exit::Usage, "the command or the configuration makes no sense"),
        (Exit::NotSignedIn, "not signed in, or the token may not do this"),
        (Exit::NotFound, "there is no such object"),
        (Exit::Conflict, "the object exists already, is in another state, or was changed by somebody else"),
        (Exit::Unreachable, "the server does not answer"),
    ];
}

/// What went wrong, for a person and for a script.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub detail: ErrorDetail,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let code = match exit {
            Exit::Failed => "command.failed",
            Exit::Usage => "command.usage",
            Exit::NotSignedIn => "command.not_signed_in",
            Exit::NotFound => "command.not_found",
            Exit::Conflict => "command.conflict",
            Exit::Unreachable => "server.unreachable",
        };
        let detail = ErrorDetail {
            code: code.into(),
            message: message.into(),
            details: serde_json::Map::new(),
            request_id: String::new(),
        };
        Self { exit, detail }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// What a server said.
    pub fn answered(status: u16, detail: ErrorDetail) -> Self {
        let exit = match status {
            401 | 403 => Exit::NotSignedIn,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            502 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self { exit, detail }
    }

    /// On standard error: text for a person, one JSON object for a script.
    pub fn print(self, json: bool) -> u8 {
        let exit = self.exit as u8;
        if json {
            let body = ErrorBody { error: self.detail };
            eprintln!("{}", json_text(&body));
        } else {
            // A server's message may hold what a tenant wrote.
            eprintln!("{}", plain(&self.to_string()));
        }
        exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "darter: {}", self.detail.message)?;
        if let Some(places) = self.detail.details.get("diagnostics").and_then(|list| list.as_array()) {
            for place in places {
                let number = |name: &str| place.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
                let message = place.get("message").and_then(|text| text.as_str()).unwrap_or_default();
                write!(f, "\n  {}:{}  {message}", number("line"), number("column"))?;
            }
        }
        write!(f, "\n  ({}", self.detail.code)?;
        if !self.detail.request_id.is_empty() {
            write!(f, ", request {}", self.detail.request_id)?;
        }
        f.write_str(")")
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_exit_code_that_scripts_rely_on() {
        let rows = [(400, 1), (401, 3), (403, 3), (404, 4), (409, 5), (412, 5), (413, 1), (429, 1), (500, 1), (503, 1)];
        for (status, exit) in rows {
            let detail = Failure::new(Exit::Failed, "").detail;
            assert_eq!(Failure::answered(status, detail).exit as u8, exit, "{status}");
        }
    }
}
