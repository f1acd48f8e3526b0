//! Which of an environment's files a browser may load, and in which encoding.
//!
//! Only below the folders named here, only plain names, never through a link. What is compressed was compressed at
//! install: a lookup costs two `stat` calls and no processor time.

use std::path::{Component, Path, PathBuf};

/// How the file on disk is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Plain,
    /// `Content-Encoding: br`.
    Brotli,
}

impl Encoding {
    /// The header's value.
    #[must_use]
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Brotli => Some("br"),
        }
    }
}

/// A file to answer with. Its address names the environment's digest, so it never changes:
/// `Cache-Control: public, max-age=31536000, immutable`, `Vary: Accept-Encoding`, `Access-Control-Allow-Origin: *`,
/// `Cross-Origin-Resource-Policy: cross-origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFile {
    pub path: PathBuf,
    pub content_type: &'static str,
    pub encoding: Encoding,
}

/// The static files of an installed editor.
#[derive(Debug, Clone)]
pub struct StaticFiles {
    root: PathBuf,
}

/// What a page loads; everything else of the installation is nobody's business.
const FOLDERS: &[&str] = &["out", "node_modules", "extensions", "resources", "light"];

impl StaticFiles {
    /// `root` is the folder of VS Code in the installed environment.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file at this path (as in the address, after the base, percent-decoded), the smallest form that is accepted.
    #[must_use]
    pub fn lookup(&self, path: &str, accepts_brotli: bool) -> Option<StaticFile> {
        let relative = plain(path)?;
        let content_type = content_type(&relative);
        let file = self.root.join(&relative);
        if accepts_brotli {
            let mut packed = file.clone().into_os_string();
            packed.push(".br");
            if is_file(Path::new(&packed)) {
                return Some(StaticFile { path: packed.into(), content_type, encoding: Encoding::Brotli });
            }
        }
        is_file(&file).then_some(StaticFile { path: file, content_type, encoding: Encoding::Plain })
    }
}

fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn plain(path: &str) -> Option<PathBuf> {
    let path = Path::new(path.trim_start_matches('/'));
    let known = path.components().next().is_some_and(|first| FOLDERS.iter().any(|name| first.as_os_str() == *name));
    let safe = path.components().all(|part| matches!(part, Component::Normal(_)));
    (known && safe && !path.as_os_str().as_encoded_bytes().contains(&0)).then(|| path.to_path_buf())
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|end| end.to_str()).unwrap_or_default() {
        "js" | "mjs" | "cjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "json" | "tmLanguage" => "application/json; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "ttf" => "font/ttf",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "md" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packed_form_is_taken_when_it_is_there_and_accepted() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("out")).unwrap();
        for name in ["a.js", "a.js.br", "b.css"] {
            std::fs::write(root.path().join("out").join(name), name).unwrap();
        }
        let files = StaticFiles::new(root.path());
        let found = |path: &str, brotli| files.lookup(path, brotli).map(|file| (file.encoding, file.content_type));
        assert_eq!(found("out/a.js", true), Some((Encoding::Brotli, "text/javascript; charset=utf-8")));
        assert_eq!(found("/out/a.js", false), Some((Encoding::Plain, "text/javascript; charset=utf-8")));
        assert_eq!(found("out/b.css", true), Some((Encoding::Plain, "text/css; charset=utf-8")));
    }

    #[test]
    fn what_leads_out_or_is_not_for_browsers_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("out")).unwrap();
        std::fs::write(root.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../secret", root.path().join("out/link")).unwrap();
        let files = StaticFiles::new(root.path());
        for path in ["secret", "out/../secret", "/../secret", "out/link", "out", "", "/", "out/a\0b", "bin/x"] {
            assert_eq!(files.lookup(path, true), None, "{path:?}");
        }
    }
}
