//! What went wrong, in the one shape that every layer above uses.
//!
//! The [`Kind`] decides HTTP status, retry, metric and log level; the `code` (`noun.reason`) is stable and public;
//! the message says what happened, why, and what to do. A fault never carries a secret or a host path.

use std::fmt;

use serde::Serialize;

/// The class of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request is malformed or breaks a rule. 400
    Invalid,
    /// Nobody is signed in, or the credentials are wrong. 401
    Unauthenticated,
    /// Known, allowed to see it, not allowed to do this. 403
    Forbidden,
    /// It does not exist, or it is another tenant's. 404
    NotFound,
    /// It is not in the state that this needs, or it exists already. 409
    Conflict,
    /// Somebody else changed it since it was read (`If-Match`). 412
    Stale,
    /// Larger than the limit. 413
    TooLarge,
    /// Too often. 429 with `Retry-After`
    RateLimited,
    /// Temporarily not possible; the same request may succeed later. 503
    Unavailable,
    /// It took too long. 504
    Timeout,
    /// Our mistake. 500; the cause goes to the log, never to the client
    Internal,
}

impl Kind {
    /// The HTTP status of this kind.
    pub fn status(self) -> u16 {
        match self {
            Kind::Invalid => 400,
            Kind::Unauthenticated => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::Stale => 412,
            Kind::TooLarge => 413,
            Kind::RateLimited => 429,
            Kind::Unavailable => 503,
            Kind::Timeout => 504,
            Kind::Internal => 500,
        }
    }
}

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub kind: Kind,
    /// Stable, public, `noun.reason`.
    pub code: &'static str,
    /// For a person: what happened, why, what to do.
    pub message: String,
    /// For a program, e.g. `line` and `column` of a syntax error.
    pub details: Vec<(&'static str, serde_json::Value)>,
    /// Seconds after which a retry makes sense (rate limits, unavailability).
    pub retry_after: Option<u32>,
    /// For the log only.
    pub cause: Option<String>,
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), details: Vec::new(), retry_after: None, cause: None }
    }

    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    pub fn unauthenticated(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, code, message)
    }

    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, code, message)
    }

    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, message)
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// Our mistake: the client learns only that; `cause` goes to the log.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let mut fault = Self::new(
            Kind::Internal,
            "server.internal",
            "Something went wrong on our side. Try again; if it stays, give the operator the request id.",
        );
        fault.cause = Some(cause.to_string());
        fault
    }

    /// Adds a detail for programs.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
