//! Text in files: within one line, by words or by a regular expression.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};
use serde_json::{Map, Value, json};

use super::{Scope, preview};
use crate::fault::Fault;
use crate::files::open;
use crate::name;
use crate::params::Params;

/// Most matches, whatever is asked for.
const MOST: u64 = 100_000;
/// Longest line that is searched: a file with a longer one is passed over.
const LINE: usize = 8 << 20;
/// Memory that a regular expression may take.
const REGEX: usize = 4 << 20;
/// Matches that are told at a time.
const TOLD: usize = 200;

/// What to look for, and where.
pub(crate) struct Wanted {
    scope: Scope,
    matcher: RegexMatcher,
    most: u64,
    context: usize,
}

impl Wanted {
    /// `{folders, pattern, regexp, case, word, includes, excludes, max, context, ignore_files}`
    pub(crate) fn of(params: &Params) -> Result<Self, Fault> {
        let pattern = params.text("pattern")?.filter(|pattern| !pattern.is_empty());
        let pattern = pattern.ok_or_else(|| Fault::invalid("`pattern` is missing: what to search for"))?;
        let mut builder = RegexMatcherBuilder::new();
        builder.case_insensitive(!params.flag("case")?).word(params.flag("word")?);
        builder.fixed_strings(!params.flag("regexp")?).line_terminator(Some(b'\n')).multi_line(true);
        builder.size_limit(REGEX).dfa_size_limit(REGEX).nest_limit(200);
        let matcher = builder.build(pattern);
        let matcher = matcher.map_err(|error| Fault::invalid(format!("`pattern` cannot be searched for: {error}")))?;
        let context = usize::try_from(params.number("context")?.unwrap_or(0)).unwrap_or(usize::MAX).min(10);
        let most = params.number("max")?.unwrap_or(MOST).clamp(1, MOST);
        Ok(Self { scope: Scope::of(params)?, matcher, most, context })
    }

    /// Tells matches of a file at a time, as long as `tell` is told more (true). True: there may be more than was asked.
    pub(crate) fn search(
        &self,
        stop: &Arc<AtomicBool>,
        mut tell: impl FnMut(Map<String, Value>) -> bool,
    ) -> Result<bool, Fault> {
        let mut searcher = SearcherBuilder::new()
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(LINE))
            .line_number(true)
            .before_context(self.context)
            .after_context(self.context)
            .build();
        let mut left = self.most;
        self.scope.walk(stop, |_, entry| {
            let path = entry.path();
            let Ok((file, _)) = open::regular(path) else { return true };
            let mut found = Found {
                matcher: &self.matcher,
                path,
                stop,
                left: &mut left,
                tell: &mut tell,
                matches: Vec::new(),
                context: Vec::new(),
                gone: false,
            };
            // A file that cannot be read, or has a line without end, is passed over; what was found in it counts.
            let _ = search_file(&mut searcher, &mut found, &file);
            found.flush();
            let gone = found.gone;
            left > 0 && !gone
        })?;
        Ok(left == 0)
    }
}

fn search_file(searcher: &mut Searcher, found: &mut Found<'_>, file: &File) -> io::Result<()> {
    let matcher = found.matcher;
    searcher.search_file(matcher, file, found)
}

/// What is found in one file.
struct Found<'a> {
    matcher: &'a RegexMatcher,
    path: &'a Path,
    stop: &'a AtomicBool,
    left: &'a mut u64,
    tell: &'a mut dyn FnMut(Map<String, Value>) -> bool,
    matches: Vec<Value>,
    context: Vec<Value>,
    gone: bool,
}

impl Found<'_> {
    fn flush(&mut self) {
        if self.matches.is_empty() && self.context.is_empty() {
            return;
        }
        let mut told = Map::new();
        name::put(&mut told, "path", self.path.as_os_str());
        told.insert("matches".into(), std::mem::take(&mut self.matches).into());
        if !self.context.is_empty() {
            told.insert("context".into(), std::mem::take(&mut self.context).into());
        }
        self.gone = !(self.tell)(told);
    }

    fn go_on(&mut self) -> bool {
        if self.matches.len() + self.context.len() >= TOLD {
            self.flush();
        }
        *self.left > 0 && !self.gone && !self.stop.load(Ordering::Relaxed)
    }
}

impl Sink for Found<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        let line = found.bytes();
        let number = found.line_number().unwrap_or(1).saturating_sub(1);
        let (matcher, matches, left) = (self.matcher, &mut self.matches, &mut *self.left);
        matcher
            .find_iter(preview::trimmed(line), |found| {
                let shown = preview::of(line, found.start(), found.end());
                let mut told = json!({
                    "line": number, "column": shown.column, "length": shown.length, "preview": shown.text,
                });
                if let Some(shifted) = shown.shifted {
                    told["preview_column"] = shifted.into();
                }
                matches.push(told);
                *left -= 1;
                *left > 0 && matches.len() < 10 * TOLD
            })
            .map_err(io::Error::other)?;
        Ok(self.go_on())
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        let number = context.line_number().unwrap_or(1).saturating_sub(1);
        self.context.push(json!({"line": number, "text": preview::cut(context.bytes())}));
        Ok(self.go_on())
    }
}
