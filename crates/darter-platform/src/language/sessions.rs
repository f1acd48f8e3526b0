//! Who has a language server open: one for each sign-in and app, few for each account.
//!
//! A page that is loaded again takes the place of its former self, which is told to end.

use std::sync::{Arc, Mutex, PoisonError};

use darter_core::{AccountId, AppId, Fault, Kind};
use tokio_util::sync::CancellationToken;

/// Language servers that one account may have at once: each costs a sandbox with a few hundred MiB.
pub const PER_ACCOUNT: usize = 4;
/// On the whole server.
pub const TOTAL: usize = 64;

#[derive(Debug)]
struct Open {
    account: AccountId,
    /// Session or token.
    credential: String,
    app: AppId,
    end: CancellationToken,
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
    pub fn take(&self, account: &AccountId, credential: &str, app: &AppId) -> Result<Place, Fault> {
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
        open.push(Open {
            account: account.clone(),
            credential: credential.to_owned(),
            app: app.clone(),
            end: end.clone(),
        });
        Ok(Place { sessions: self.clone(), end })
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
            apps[..PER_ACCOUNT].iter().map(|app| sessions.take(&account, "s", app).unwrap()).collect();
        assert_eq!(sessions.take(&account, "s", &apps[PER_ACCOUNT]).unwrap_err().code, "language.too_many");
        let again = sessions.take(&account, "s", &apps[0]).unwrap();
        assert!(places[0].end.is_cancelled() && !again.end.is_cancelled());
        places.clear();
        assert_eq!(sessions.count(), 1);
        drop(again);
        assert_eq!(sessions.count(), 0);
    }
}
