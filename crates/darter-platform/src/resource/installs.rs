//! Dependency installs that run now: one at a time for each app, watched by any number of people from its start.
//!
//! Output comes out of a sandbox: how much is kept is bounded. What is kept here is gone with the process; the store
//! says `interrupted` after the next start.

use std::sync::{Arc, Mutex, PoisonError};

use darter_core::AppId;
use darter_engine::InstallProgress;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Lines of output kept.
const LINE_LIMIT: usize = 2_000;
/// Longest line kept, in characters.
const LINE_LENGTH: usize = 1_000;

/// One install while it runs, and for those who still watch it afterwards.
#[derive(Debug)]
pub struct RunningInstall {
    pub id: String,
    pub cancel: CancellationToken,
    events: Mutex<Vec<InstallProgress>>,
    changed: watch::Sender<bool>,
}

/// What has happened so far, as the API shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub phase: String,
    pub output: Vec<String>,
}

impl RunningInstall {
    fn new(id: String) -> Self {
        Self { id, cancel: CancellationToken::new(), events: Mutex::default(), changed: watch::channel(false).0 }
    }

    /// An install that is over, for those who look at it now.
    pub(crate) fn over(id: String, events: Vec<InstallProgress>) -> Self {
        let install = Self::new(id);
        events.into_iter().for_each(|event| install.push(event));
        install.end();
        install
    }

    /// Takes an event; watchers wake.
    pub fn push(&self, event: InstallProgress) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let event = match event {
            InstallProgress::Output { line } => match events.len() {
                length if length < LINE_LIMIT => InstallProgress::Output { line: clean(&line) },
                LINE_LIMIT => InstallProgress::Output { line: "… there is more output; it is not kept.".to_owned() },
                _ => return,
            },
            other @ (InstallProgress::Phase { .. }
            | InstallProgress::Installed { .. }
            | InstallProgress::Failed { .. }) => other,
        };
        events.push(event);
        drop(events);
        self.changed.send_modify(|_| {});
    }

    /// No event comes any more.
    pub fn end(&self) {
        self.changed.send_replace(true);
    }

    /// The events from a number on, and whether more can come. Waits for at least one, or for the end.
    pub async fn next(&self, from: usize) -> (Vec<InstallProgress>, bool) {
        let mut changed = self.changed.subscribe();
        loop {
            let ended = *changed.borrow_and_update();
            let events =
                self.events.lock().unwrap_or_else(PoisonError::into_inner).get(from..).unwrap_or_default().to_vec();
            if !events.is_empty() || ended {
                return (events, !ended);
            }
            if changed.changed().await.is_err() {
                return (Vec::new(), false);
            }
        }
    }

    /// Phase and output so far.
    pub fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for event in self.events.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match event {
                InstallProgress::Output { line } => seen.output.push(line.clone()),
                InstallProgress::Phase { name } => seen.phase.clone_from(name),
                InstallProgress::Installed { .. } | InstallProgress::Failed { .. } => {}
            }
        }
        seen
    }
}

fn clean(line: &str) -> String {
    line.chars().filter(|character| !character.is_control() || *character == '\t').take(LINE_LENGTH).collect()
}

/// The name that an event has on the wire.
pub fn install_event(event: &InstallProgress) -> &'static str {
    match event {
        InstallProgress::Output { .. } => "output",
        InstallProgress::Phase { .. } => "phase",
        InstallProgress::Installed { .. } => "installed",
        InstallProgress::Failed { .. } => "failed",
    }
}

/// All installs of this process.
#[derive(Debug, Default)]
pub struct Installs {
    running: DashMap<AppId, Arc<RunningInstall>>,
}

impl Installs {
    /// Takes the app's place; `None` when an install runs already.
    pub fn begin(&self, app: &AppId, id: String) -> Option<Arc<RunningInstall>> {
        match self.running.entry(app.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => Some(Arc::clone(&place.insert(Arc::new(RunningInstall::new(id))))),
        }
    }

    /// The app's running install.
    pub fn get(&self, app: &AppId) -> Option<Arc<RunningInstall>> {
        self.running.get(app).map(|install| Arc::clone(&install))
    }

    /// How many run.
    pub fn count(&self) -> usize {
        self.running.len()
    }

    /// Gives the place back and tells watchers that this is the end.
    pub fn finish(&self, app: &AppId, install: &RunningInstall) {
        self.running.remove_if(app, |_, running| running.id == install.id);
        install.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> InstallProgress {
        InstallProgress::Output { line: text.into() }
    }

    fn app() -> AppId {
        "aaaaaaaaaa".parse().unwrap()
    }

    #[tokio::test]
    async fn a_late_watcher_sees_the_install_from_its_start_to_its_end() {
        let installs = Installs::default();
        let install = installs.begin(&app(), "one".into()).unwrap();
        install.push(InstallProgress::Phase { name: "resolve".into() });
        install.push(line("a"));
        let watcher = {
            let install = Arc::clone(&install);
            tokio::spawn(async move {
                let (mut seen, mut more) = (0, true);
                while more {
                    let (events, open) = install.next(seen).await;
                    seen += events.len();
                    more = open;
                }
                seen
            })
        };
        install.push(line("b"));
        installs.finish(&app(), &install);
        assert_eq!(watcher.await.unwrap(), 3);
        assert_eq!(install.seen(), Seen { phase: "resolve".into(), output: vec!["a".into(), "b".into()] });
    }

    #[test]
    fn an_app_has_one_install_at_a_time() {
        let installs = Installs::default();
        let first = installs.begin(&app(), "one".into()).unwrap();
        assert!(installs.begin(&app(), "two".into()).is_none());
        installs.finish(&app(), &first);
        assert!(installs.begin(&app(), "two".into()).is_some());
    }

    #[test]
    fn a_flood_of_output_is_bounded_and_cleaned() {
        let install = RunningInstall::new("one".into());
        (0..10_000).for_each(|_| install.push(line(&format!("\u{1b}[31m{}", "x".repeat(5_000)))));
        install.push(InstallProgress::Phase { name: "store".into() });
        let seen = install.seen();
        assert_eq!((seen.output.len(), seen.phase.as_str()), (LINE_LIMIT + 1, "store"));
        assert!(seen.output.iter().all(|line| line.chars().count() <= LINE_LENGTH && !line.contains('\u{1b}')));
    }
}
