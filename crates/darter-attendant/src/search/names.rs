//! Files by name: the letters of the pattern in their order, anywhere in the path below the folder, or a glob.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use globset::{GlobBuilder, GlobMatcher};

use super::Scope;
use crate::fault::Fault;
use crate::params::Params;

/// Most paths, whatever is asked for.
const MOST: u64 = 50_000;

pub(crate) struct Wanted {
    scope: Scope,
    pattern: Pattern,
    most: usize,
}

enum Pattern {
    Anything,
    Letters(Vec<char>),
    Glob(GlobMatcher),
}

impl Pattern {
    fn of(text: &str) -> Result<Self, Fault> {
        if text.contains(['*', '?', '[', '{']) {
            let glob =
                GlobBuilder::new(text.trim_start_matches('/')).case_insensitive(true).literal_separator(true).build();
            return match glob {
                Ok(glob) => Ok(Self::Glob(glob.compile_matcher())),
                Err(error) => Err(Fault::invalid(format!("`pattern`: {error}"))),
            };
        }
        let letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
        Ok(if letters.is_empty() { Self::Anything } else { Self::Letters(letters) })
    }

    fn fits(&self, path: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Glob(glob) => glob.is_match(path) || glob.is_match(path.rsplit('/').next().unwrap_or(path)),
            Self::Letters(letters) => {
                let mut wanted = letters.iter().peekable();
                for letter in path.chars().flat_map(char::to_lowercase) {
                    wanted.next_if(|wanted| **wanted == letter);
                }
                wanted.peek().is_none()
            }
        }
    }
}

impl Wanted {
    /// `{folders, pattern, includes, excludes, max, ignore_files}`
    pub(crate) fn of(params: &Params) -> Result<Self, Fault> {
        let pattern = Pattern::of(params.text("pattern")?.unwrap_or_default())?;
        let most = params.number("max")?.unwrap_or(MOST).clamp(1, MOST);
        Ok(Self { scope: Scope::of(params)?, pattern, most: usize::try_from(most).unwrap_or(usize::MAX) })
    }

    /// The paths, and whether there may be more. A name that is no UTF-8 cannot be told, so it is left out.
    pub(crate) fn search(&self, stop: &Arc<AtomicBool>) -> Result<(Vec<String>, bool), Fault> {
        let mut paths = Vec::new();
        self.scope.walk(stop, |folder, entry| {
            let relative = entry.path().strip_prefix(folder).unwrap_or(Path::new("")).to_str();
            if let (Some(relative), Some(path)) = (relative, entry.path().to_str())
                && self.pattern.fits(relative)
            {
                paths.push(path.to_owned());
            }
            paths.len() < self.most
        })?;
        let more = paths.len() >= self.most;
        Ok((paths, more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_by_letters_in_order_or_by_a_glob() {
        for (pattern, path, fits) in [
            ("", "src/main.rs", true),
            ("smain", "src/main.rs", true),
            ("MAIN rs", "src/main.rs", true),
            ("niam", "src/main.rs", false),
            ("*.rs", "src/main.rs", true),
            ("src/*.RS", "src/main.rs", true),
            ("*.rs", "src/main.ts", false),
            ("é", "É.txt", true),
        ] {
            assert_eq!(Pattern::of(pattern).unwrap().fits(path), fits, "{pattern} {path}");
        }
        assert!(Pattern::of("[").is_err());
    }
}
