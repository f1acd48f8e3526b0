//! What can go wrong with the database, and what of it a client may know.

use darter_core::{Fault, Kind};

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database could not be prepared: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not hold what this version of the program writes.
    #[error("a row is damaged: {column} holds {value:?}")]
    Damaged { column: String, value: String },
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
}

impl StoreError {
    /// A column holds what nothing here could have written.
    pub fn damaged(column: &str, value: &str) -> Self {
        Self::Damaged { column: column.to_owned(), value: value.chars().take(80).collect() }
    }

    /// Is there a row with the same unique value already?
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Is the disk of the database full? (SQLite's `SQLITE_FULL`, PostgreSQL's `disk_full`)
    pub fn is_full(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("13" | "53100"))
    }

    /// Was the database busy or away? SQLite's busy codes end in 5 (mod 256); PostgreSQL's classes 08, 53, 57 and
    /// serialisation failures.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_)) => true,
            Self::Database(sqlx::Error::Database(error)) => match error.code().as_deref() {
                Some("40001" | "40P01" | "55P03") => true,
                Some(code) if code.len() == 5 => matches!(&code[..2], "08" | "53" | "57"),
                Some(code) => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
                None => false,
            },
            Self::Database(_) | Self::Migration(_) | Self::Damaged { .. } | Self::File { .. } => false,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if error.is_full() {
            let message =
                "The server's disk is full, and nothing was changed. Ask the operator to make room, then try again.";
            return Fault::new(Kind::Unavailable, "server.disk_full", message).retry_after(60).caused_by(error);
        }
        if error.is_temporary() {
            let message = "The database is busy or away, and nothing was changed. Try again in a moment.";
            return Fault::new(Kind::Unavailable, "server.database_busy", message).retry_after(2).caused_by(error);
        }
        Fault::internal(error)
    }
}
