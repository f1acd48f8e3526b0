//! Language servers: what the claim describes, started when a light page asks for one by name. What runs is the
//! environment's word, never the page's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::attendant::Attendant;
use crate::fault::Fault;

/// Most bytes that wait for one that does not read.
pub(crate) const UNREAD: usize = 32 << 20;
/// One that was told nothing for so many minutes is ended; minutes of a freeze do not count.
const QUIET: u32 = 30;
const MINUTE: Duration = Duration::from_secs(60);

/// How one is started, and what the page must know to speak with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LanguageServer {
    pub(crate) title: String,
    pub(crate) argv: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    languages: Vec<String>,
    files: Vec<String>,
    initialization: Map<String, Value>,
}

/// The claim's, as the page is told of them.
pub(crate) fn list(attendant: &Attendant) -> Value {
    let servers = attendant.claim.get().map(|claim| &claim.language_servers).into_iter().flatten();
    let told: Vec<Value> = servers
        .map(|(name, server)| {
            json!({
                "name": name,
                "title": server.title,
                "languages": server.languages,
                "files": server.files,
                "initialization": server.initialization,
            })
        })
        .collect();
    json!({"servers": told})
}

pub(crate) fn named<'a>(attendant: &'a Attendant, name: &str) -> Result<&'a LanguageServer, Fault> {
    let known = attendant.claim.get().and_then(|claim| claim.language_servers.get(name));
    known.ok_or_else(|| {
        Fault::new("language.unknown", "the environment of this workspace describes no language server of this name")
    })
}

/// The process groups of those that run. They work for a person who looks, so they are nobody's jobs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups(Arc<Mutex<BTreeSet<i32>>>);

impl Groups {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, until the returned one is dropped.
    pub(crate) fn enter(&self, leader: Pid) -> Group {
        let leader = leader.as_raw_nonzero().get();
        self.lock().insert(leader);
        Group { groups: self.clone(), leader }
    }

    pub(crate) fn now(&self) -> BTreeSet<i32> {
        self.lock().clone()
    }
}

pub(crate) struct Group {
    groups: Groups,
    leader: i32,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.groups.lock().remove(&self.leader);
    }
}

/// Resolves when nothing was said for long. It counts minutes rather than reading a clock: a freeze is no silence.
pub(crate) async fn silence(spoke: &AtomicBool) {
    let mut quiet = Quiet::default();
    loop {
        tokio::time::sleep(MINUTE).await;
        if quiet.minute(spoke.swap(false, Ordering::Relaxed)) {
            return;
        }
    }
}

#[derive(Default)]
struct Quiet(u32);

impl Quiet {
    /// Another minute has passed; was it one too many?
    fn minute(&mut self, spoke: bool) -> bool {
        self.0 = if spoke { 0 } else { self.0 + 1 };
        self.0 >= QUIET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_hour_of_silence_is_too_much_and_a_word_begins_it_anew() {
        let mut quiet = Quiet::default();
        assert!((1..QUIET).all(|_| !quiet.minute(false)));
        assert!(!quiet.minute(true));
        assert!((1..QUIET).all(|_| !quiet.minute(false)));
        assert!(quiet.minute(false));
    }
}
