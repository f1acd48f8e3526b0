//! Patterns for what is to be left out, relative to the root that they were given for.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::fault::Fault;

/// Most patterns.
const MOST: usize = 256;

#[derive(Debug, Clone)]
pub(crate) struct Excludes(GlobSet);

impl Excludes {
    pub(crate) fn new(patterns: &[String]) -> Result<Self, Fault> {
        let invalid = |error: globset::Error| Fault::invalid(format!("`excludes`: {error}"));
        if patterns.len() > MOST {
            return Err(Fault::invalid(format!("`excludes` has at most {MOST} patterns")));
        }
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let pattern = pattern.trim_start_matches('/');
            set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(invalid)?);
        }
        Ok(Self(set.build().map_err(invalid)?))
    }

    /// A pattern for all that is in a folder (`**/.git/objects/**`) leaves out the folder itself.
    pub(crate) fn match_path(&self, path: &Path) -> bool {
        !self.0.is_empty() && (self.0.is_match(path) || self.0.is_match(path.join("\u{1}")))
    }
}
