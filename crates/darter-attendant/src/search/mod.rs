//! Search in files and for files, with ripgrep's libraries. Links are not followed, only regular files are opened, long
//! lines and large regular expressions are bounded, and a search that nobody waits for any more ends.

pub(crate) mod names;
mod preview;
pub(crate) mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};

use crate::fault::Fault;
use crate::params::{self, Params};

/// Most globs of each kind.
const GLOBS: usize = 512;

/// Where to look: `{folders, includes, excludes, ignore_files}`.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    folders: Vec<PathBuf>,
    includes: Vec<String>,
    excludes: Vec<String>,
    ignore_files: bool,
}

impl Scope {
    pub(crate) fn of(params: &Params) -> Result<Self, Fault> {
        let folders: Vec<String> = params.value("folders")?;
        if folders.is_empty() || folders.len() > 64 {
            return Err(Fault::invalid("`folders` names 1 to 64 folders"));
        }
        let folders = folders.into_iter().map(|folder| params::absolute(folder.into_bytes()));
        let (includes, excludes): (Vec<String>, Vec<String>) = (params.value("includes")?, params.value("excludes")?);
        if includes.len() > GLOBS || excludes.len() > GLOBS {
            return Err(Fault::invalid(format!("at most {GLOBS} patterns of a kind")));
        }
        let ignore_files = if params.0.contains_key("ignore_files") { params.flag("ignore_files")? } else { true };
        Ok(Self { folders: folders.collect::<Result<_, _>>()?, includes, excludes, ignore_files })
    }

    /// Calls `visit` with every regular file, until it says that it is enough (false) or `stop` is set.
    fn walk(&self, stop: &Arc<AtomicBool>, mut visit: impl FnMut(&Path, &DirEntry) -> bool) -> Result<(), Fault> {
        for folder in &self.folders {
            let mut builder = WalkBuilder::new(folder);
            builder.standard_filters(false).follow_links(false).overrides(self.overrides(folder)?);
            builder.ignore(self.ignore_files).git_ignore(self.ignore_files).git_exclude(self.ignore_files);
            builder.require_git(false);
            let includes = self.included()?;
            for entry in builder.build() {
                if stop.load(Ordering::Relaxed) {
                    return Err(Fault::new("cancelled", "the search was cancelled"));
                }
                // What cannot be read, or is too deep to be named, is passed over.
                let Ok(entry) = entry else { continue };
                let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                let wanted = includes.is_empty() || includes.is_match(relative);
                if wanted && entry.file_type().is_some_and(|kind| kind.is_file()) && !visit(folder, &entry) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// What is to be left out, folders with all that is in them.
    fn overrides(&self, folder: &Path) -> Result<Override, Fault> {
        let mut builder = OverrideBuilder::new(folder);
        for exclude in &self.excludes {
            builder.add(&format!("!{exclude}")).map_err(|error| Fault::invalid(format!("`excludes`: {error}")))?;
        }
        builder.build().map_err(|error| Fault::invalid(format!("`excludes`: {error}")))
    }

    /// What is wanted at all; that does not bring back what an ignore file leaves out.
    fn included(&self) -> Result<GlobSet, Fault> {
        let invalid = |error: globset::Error| Fault::invalid(format!("`includes`: {error}"));
        let mut set = GlobSetBuilder::new();
        for include in &self.includes {
            let include = include.trim_matches('/');
            let anywhere = if include.contains('/') { "" } else { "**/" };
            for pattern in [format!("{anywhere}{include}"), format!("{anywhere}{include}/**")] {
                set.add(GlobBuilder::new(&pattern).literal_separator(true).build().map_err(invalid)?);
            }
        }
        set.build().map_err(invalid)
    }
}
