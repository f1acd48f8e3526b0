//! What the attendant knows: its claim, its editor, its terminals, what was last seen. One for the whole process; holds no
//! request's state.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use darter_core::clock::Clock;
use tokio::sync::Notify;

use crate::activity::Activity;
use crate::claim::Claim;
use crate::editor::Editor;
use crate::fault::Fault;
use crate::language::Groups;
use crate::terminal::Terminals;

/// Most sessions at a time.
pub(crate) const SESSIONS: usize = 16;
/// Most programs that `exec` and the sessions run at a time.
pub(crate) const PROGRAMS: usize = 64;

pub(crate) struct Attendant {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: PathBuf,
    pub(crate) started: Instant,
    pub(crate) claim: OnceLock<Claim>,
    pub(crate) editor: Editor,
    pub(crate) terminals: Terminals,
    pub(crate) activity: Activity,
    pub(crate) sessions: Count<SESSIONS>,
    pub(crate) programs: Count<PROGRAMS>,
    pub(crate) language_servers: Groups,
    /// Something that the events tell has changed.
    pub(crate) changed: Arc<Notify>,
}

impl Attendant {
    pub(crate) fn new(clock: Arc<dyn Clock>, editor_socket: Option<OwnedFd>) -> Arc<Self> {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        let changed = Arc::new(Notify::new());
        Arc::new(Self {
            home: PathBuf::from(home.unwrap_or_else(|| OsString::from("/home/user"))),
            started: Instant::now(),
            claim: OnceLock::new(),
            editor: Editor::new(editor_socket, changed.clone()),
            terminals: Terminals::new(changed.clone()),
            activity: Activity::new(clock.clone(), changed.clone()),
            sessions: Count::new("sessions"),
            programs: Count::new("programs"),
            language_servers: Groups::default(),
            changed,
            clock,
        })
    }
}

/// How many of something there are, with an upper bound.
pub(crate) struct Count<const MOST: usize> {
    what: &'static str,
    now: Arc<AtomicUsize>,
}

impl<const MOST: usize> Count<MOST> {
    fn new(what: &'static str) -> Self {
        Self { what, now: Arc::default() }
    }

    /// One more, until the returned place is dropped.
    pub(crate) fn enter(&self) -> Result<Place, Fault> {
        let entered =
            self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < MOST).then_some(now + 1));
        match entered {
            Ok(_) => Ok(Place(self.now.clone())),
            Err(_) => {
                Err(Fault::new("limit.reached", format!("there are {MOST} {} already; end one first", self.what)))
            }
        }
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }
}

/// A place in a [`Count`].
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
