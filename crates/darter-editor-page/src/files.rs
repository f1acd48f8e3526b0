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
    /// `Content-Encoding: gzip`.
    Gzip,
}

impl Encoding {
    /// The header's value.
    #[must_use]
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
        }
    }

    /// What its file's name has at its end besides the plain one's.
    fn ending(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
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
    /// Starts of paths, and the folders that they mean. All else of the installation is nobody's business.
    folders: Vec<(String, PathBuf)>,
}

/// What a page of VS Code loads.
const VSCODE: &[&str] = &["out", "node_modules", "extensions", "resources", "light"];

impl StaticFiles {
    /// Of the folders that these starts of paths mean.
    #[must_use]
    pub fn new(folders: Vec<(String, PathBuf)>) -> Self {
        Self { folders }
    }

    /// Those of VS Code, whose folder in the installed environment is `root`.
    pub fn vscode(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self::new(VSCODE.iter().map(|folder| ((*folder).to_owned(), root.join(folder))).collect())
    }

    /// The file at this path (as in the address, after the base, percent-decoded), in the first form that there is of
    /// those that are accepted, else plain.
    #[must_use]
    pub fn lookup(&self, path: &str, accepted: &[Encoding]) -> Option<StaticFile> {
        let path = path.trim_start_matches('/');
        let file = self.folders.iter().find_map(|(start, folder)| {
            let rest = path.strip_prefix(start.trim_matches('/'))?.strip_prefix('/')?;
            is_plain(rest).then(|| folder.join(rest))
        })?;
        let content_type = content_type(&file);
        accepted.iter().chain(&[Encoding::Plain]).find_map(|encoding| {
            let mut form = file.clone().into_os_string();
            form.push(encoding.ending());
            is_file(Path::new(&form)).then_some(StaticFile { path: form.into(), content_type, encoding: *encoding })
        })
    }
}

fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
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
        let files = StaticFiles::vscode(root.path());
        let found = |path: &str, accepted: &[Encoding]| {
            files.lookup(path, accepted).map(|file| (file.encoding, file.content_type))
        };
        let both = [Encoding::Brotli, Encoding::Gzip];
        assert_eq!(found("out/a.js", &both), Some((Encoding::Brotli, "text/javascript; charset=utf-8")));
        assert_eq!(found("/out/a.js", &[Encoding::Gzip]), Some((Encoding::Plain, "text/javascript; charset=utf-8")));
        assert_eq!(found("out/b.css", &both), Some((Encoding::Plain, "text/css; charset=utf-8")));
    }

    #[test]
    fn what_leads_out_or_is_not_for_browsers_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("out")).unwrap();
        std::fs::write(root.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../secret", root.path().join("out/link")).unwrap();
        let files = StaticFiles::vscode(root.path());
        for path in [
            "secret",
            "out/../secret",
            "/../secret",
            "out/link",
            "out",
            "",
            "/",
            "out/",
            "out//secret",
            "out/a\0b",
            "bin/x",
        ] {
            assert_eq!(files.lookup(path, &[Encoding::Brotli]), None, "{path:?}");
        }
    }
}
