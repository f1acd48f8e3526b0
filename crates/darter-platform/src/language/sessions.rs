//! Who has a language server open: one for each sign-in and app, few for each account.
//!
//! A page that is loaded again takes the place of its former self, which is told to end. Every session of an app hears
//! what is saved in it; one that can not keep up ends, and its editor opens a new one over the newest drafts.

use std::sync::{Arc, Mutex, PoisonError};

use darter_core::{AccountId, AppId, Fault, Kind};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::documents::Change;

/// Language servers that one account may have at once: each costs a sandbox with a few hundred MiB.
pub const PER_ACCOUNT: usize = 4;
/// On the whole server.
pub const TOTAL: usize = 64;
/// Changes that may wait for a session. A busy server reads them within milliseconds.
const WAITING: usize = 64;

/// What is saved in the app while a session is open.
pub type Changes = mpsc::Receiver<Change>;

#[derive(Debug)]
struct Open {
    account: AccountId,
    /// Session or token.
    credential: String,
    app: AppId,
    end: CancellationToken,
    changes: mpsc::Sender<Change>,
}

/// The open ones.
#[derive(Debug, Default, Clone)]
pub struct LanguageSessions {
    open: Arc<Mutex<Vec<Open>>>,
}

/// A place; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    sessions: LanguageSessions,
    /// Cancelled when the same person opens the same app again.
    pub end: CancellationToken,
}

impl LanguageSessions {
    /// Takes a place.
    pub fn take(&self, account: &AccountId, credential: &str, app: &AppId) -> Result<(Place, Changes), Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|other| {
            let same = other.account == *account && other.credential == credential && other.app == *app;
            if same {
                other.end.cancel();
            }
            !same
        });
        let own = open.iter().filter(|other| other.account == *account).count();
        if own >= PER_ACCOUNT || open.len() >= TOTAL {
            let message = if own >= PER_ACCOUNT {
                format!("You have {PER_ACCOUNT} editors with completion open. Close one, then open this again.")
            } else {
                "All places for editors with completion are taken. Try again in a minute; editing works without."
                    .to_owned()
            };
            return Err(Fault::new(Kind::RateLimited, "language.too_many", message).retry_after(60));
        }
        let end = CancellationToken::new();
        let (changes, heard) = mpsc::channel(WAITING);
        open.push(Open {
            account: account.clone(),
            credential: credential.to_owned(),
            app: app.clone(),
            end: end.clone(),
            changes,
        });
        Ok((Place { sessions: self.clone(), end }, heard))
    }

    /// A function was saved or made, or with `None` removed. Never waits.
    pub fn changed(&self, app: &AppId, function: &str, source: Option<&str>) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for session in open.iter().filter(|session| session.app == *app) {
            let change = Change { app: app.clone(), function: function.to_owned(), source: source.map(str::to_owned) };
            if session.changes.try_send(change).is_err() {
                session.end.cancel();
            }
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.end.cancel();
        self.sessions.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !other.end.is_cancelled());
    }
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn the_same_page_takes_its_own_place_again_and_others_are_limited() {
        let sessions = LanguageSessions::default();
        let account = AccountId::generate(1, &SystemRandom);
        let apps: Vec<AppId> = (0..=PER_ACCOUNT).map(|_| AppId::generate(&SystemRandom)).collect();
        let mut places: Vec<Place> =
            apps[..PER_ACCOUNT].iter().map(|app| sessions.take(&account, "s", app).unwrap().0).collect();
        assert_eq!(sessions.take(&account, "s", &apps[PER_ACCOUNT]).unwrap_err().code, "language.too_many");
        let (again, _) = sessions.take(&account, "s", &apps[0]).unwrap();
        assert!(places[0].end.is_cancelled() && !again.end.is_cancelled());
        places.clear();
        assert_eq!(sessions.count(), 1);
        drop(again);
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn what_is_saved_reaches_the_sessions_of_its_app_and_one_that_can_not_keep_up_ends() {
        let sessions = LanguageSessions::default();
        let account = AccountId::generate(1, &SystemRandom);
        let (app, other) = (AppId::generate(&SystemRandom), AppId::generate(&SystemRandom));
        let (place, mut changes) = sessions.take(&account, "s", &app).unwrap();
        let (elsewhere, mut nothing) = sessions.take(&account, "s", &other).unwrap();
        sessions.changed(&app, "hello", Some("text"));
        assert_eq!(changes.try_recv().unwrap().source.as_deref(), Some("text"));
        assert!(nothing.try_recv().is_err(), "another app's functions are nobody's business");
        (0..=WAITING).for_each(|_| sessions.changed(&app, "hello", None));
        assert!(place.end.is_cancelled() && !elsewhere.end.is_cancelled());
    }
}
