//! Opening host paths for sandboxes: only below folders that were allowed at start, and never through a link.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use crate::spec::{Access, Bind};
use crate::sys;

/// The host folders sandboxes may be shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed {
    readable: Vec<PathBuf>,
    writable: Vec<PathBuf>,
}

impl Allowed {
    /// Takes the folders as configured and as they really are, once, before any server request.
    pub(crate) fn new(readable: &[PathBuf], writable: &[PathBuf]) -> Self {
        let both = |folders: &[PathBuf]| {
            let real = |folder: &PathBuf| canonical_parent(folder);
            folders.iter().cloned().chain(folders.iter().filter_map(real)).collect()
        };
        Self { readable: both(readable), writable: both(writable) }
    }

    /// Opens the source of a bind, or says why not.
    pub(crate) fn open(&self, bind: &Bind) -> io::Result<OwnedFd> {
        let reads = bind.access == Access::ReadOnly;
        let folders = if reads { &self.readable } else { &self.writable };
        if !is_plain(&bind.source) || !folders.iter().any(|folder| bind.source.starts_with(folder)) {
            let how = if reads { "readable" } else { "writable" };
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("not under a folder configured as {how} for sandboxes"),
            ));
        }
        // A volume's image is opened to be read and written; a pipe in its place must not make us wait.
        let flags = if bind.access == Access::Volume { libc::O_RDWR | libc::O_NONBLOCK } else { libc::O_PATH };
        let resolve = libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
        let opened = sys::open_checked(None, &bind.source, flags, resolve).map_err(|error| {
            if error.raw_os_error() == Some(libc::ELOOP) {
                return io::Error::other("passes through a symbolic link; host paths must be canonical");
            }
            error
        })?;
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode);
        if bind.access == Access::Volume && kind != rustix::fs::FileType::RegularFile {
            return Err(io::Error::other("a volume must be a regular file"));
        }
        Ok(opened)
    }
}

/// The folder may not exist yet; its parent does.
fn canonical_parent(folder: &Path) -> Option<PathBuf> {
    if let Ok(real) = folder.canonicalize() {
        return Some(real);
    }
    Some(folder.parent()?.canonicalize().ok()?.join(folder.file_name()?))
}

/// Absolute, and nothing but names.
pub(crate) fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir) && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_folders_are_opened_and_never_through_a_link() {
        let host = tempfile::tempdir().unwrap();
        let base = host.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("open/in")).unwrap();
        std::fs::create_dir_all(base.join("openly")).unwrap();
        std::os::unix::fs::symlink("/etc", base.join("open/link")).unwrap();
        let allowed = Allowed::new(&[base.join("open")], &[]);
        let open = |path: PathBuf, access| allowed.open(&Bind { source: path, target: "/x".into(), access });
        assert!(open(base.join("open/in"), Access::ReadOnly).is_ok());
        for (path, access, word) in [
            (base.join("open/in"), Access::Writable, "writable"),
            (base.join("open/in"), Access::Volume, "writable"),
            (base.join("openly"), Access::ReadOnly, "readable"),
            (base.join("open/../openly"), Access::ReadOnly, "readable"),
            (base.join("open/link"), Access::ReadOnly, "symbolic link"),
            (base.join("open/link/passwd"), Access::ReadOnly, "symbolic link"),
            (PathBuf::from("open/in"), Access::ReadOnly, "readable"),
        ] {
            let error = open(path.clone(), access).unwrap_err().to_string();
            assert!(error.contains(word), "{}: {error}", path.display());
        }
    }
}
