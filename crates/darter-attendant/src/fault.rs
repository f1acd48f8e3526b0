//! What can go wrong, as the platform is told: a status, a stable code and a sentence. Must never name anything that the
//! tenant's own shell would not show.

use std::io;
use std::path::Path;

use http::StatusCode;
use rustix::io::Errno;

/// A request that could not be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// The codes and their statuses; what is not listed is 400.
const STATUSES: &[(&str, u16)] = &[
    ("request.invalid", 400),
    ("request.unknown", 404),
    ("request.too_large", 413),
    ("file.not_found", 404),
    ("file.exists", 409),
    ("file.not_a_directory", 409),
    ("file.is_a_directory", 409),
    ("file.not_a_file", 409),
    ("file.not_empty", 409),
    ("file.changed", 412),
    ("file.range", 416),
    ("file.permission", 403),
    ("file.no_space", 507),
    ("file.too_large", 413),
    ("file.failed", 500),
    ("archive.refused", 400),
    ("snapshot.refused", 400),
    ("program.not_found", 404),
    ("program.failed", 500),
    ("port.refused", 502),
    ("terminal.not_found", 404),
    ("limit.reached", 429),
    ("claim.conflict", 409),
    ("language.unknown", 404),
    ("editor.not_described", 409),
    ("sync.refused", 501),
    ("cancelled", 400),
];

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("request.invalid", message)
    }

    /// What the kernel said about a file.
    pub(crate) fn file(error: &io::Error, path: &Path) -> Self {
        let code = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT) => "file.not_found",
            Some(Errno::EXIST) => "file.exists",
            Some(Errno::NOTDIR) => "file.not_a_directory",
            Some(Errno::ISDIR) => "file.is_a_directory",
            Some(Errno::NOTEMPTY) => "file.not_empty",
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => "file.permission",
            Some(Errno::NOSPC | Errno::DQUOT) => "file.no_space",
            Some(Errno::FBIG) => "file.too_large",
            Some(Errno::NAMETOOLONG | Errno::INVAL | Errno::LOOP) => "request.invalid",
            _ => "file.failed",
        };
        let hint = match code {
            "file.no_space" => ": the disk of this workspace is full; delete something or ask for a larger one",
            _ => "",
        };
        Self::new(code, format!("{}: {error}{hint}", path.display()))
    }

    /// A file that is neither a regular file nor a folder, where one of them is needed.
    pub(crate) fn not_a_file(path: &Path) -> Self {
        Self::new("file.not_a_file", format!("{} is not a regular file", path.display()))
    }

    pub(crate) fn status(&self) -> StatusCode {
        let status = STATUSES.iter().find(|(code, _)| *code == self.code).map_or(400, |(_, status)| *status);
        StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)
    }
}

/// Gives the kernel's answer the path that it is about.
pub(crate) trait AtPath<T> {
    fn at(self, path: &Path) -> Result<T, Fault>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Fault> {
        self.map_err(|error| Fault::file(&error, path))
    }
}

impl<T> AtPath<T> for rustix::io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Fault> {
        self.map_err(|error| Fault::file(&error.into(), path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_that_says_fault() {
        for (code, status) in STATUSES {
            assert_eq!(Fault::new(code, "").status().as_u16(), *status);
            assert!((400..=599).contains(status), "{code}");
        }
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let fault = Fault::file(&Errno::NOSPC.into(), Path::new("/home/user/a"));
        assert_eq!((fault.code, fault.status().as_u16()), ("file.no_space", 507));
        assert!(fault.message.contains("delete something"), "{}", fault.message);
    }
}
