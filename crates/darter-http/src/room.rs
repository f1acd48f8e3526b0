//! How much of other people's bodies is held in memory at once: for everybody together, and for each account its share, so
//! that one who sends much keeps nobody else from sending.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use darter_core::{AccountId, Fault, Kind};

/// For all accounts. An import is held twice while its answer is kept for a repetition.
const ALL: usize = 512 << 20;
/// For one of them.
const SHARE: usize = 160 << 20;

static ROOM: LazyLock<Mutex<Room>> = LazyLock::new(|| Mutex::new(Room::new(ALL, SHARE)));

#[derive(Debug)]
struct Room {
    all: usize,
    share: usize,
    held: usize,
    accounts: HashMap<AccountId, usize>,
}

impl Room {
    fn new(all: usize, share: usize) -> Self {
        Self { all, share, held: 0, accounts: HashMap::new() }
    }

    fn take(&mut self, account: &AccountId, bytes: usize) -> bool {
        let own = self.accounts.get(account).copied().unwrap_or(0);
        if self.held + bytes > self.all || own + bytes > self.share {
            return false;
        }
        self.held += bytes;
        self.accounts.insert(account.clone(), own + bytes);
        true
    }

    fn give_back(&mut self, account: &AccountId, bytes: usize) {
        self.held -= bytes;
        if let Some(own) = self.accounts.get_mut(account) {
            *own -= bytes;
        }
        self.accounts.retain(|_, own| *own > 0);
    }
}

/// Room for a body; dropping it gives the room back.
#[derive(Debug)]
pub struct Place {
    account: AccountId,
    bytes: usize,
}

/// Takes room for a body of an account, or says to come back.
pub fn take(account: &AccountId, bytes: usize) -> Result<Place, Fault> {
    if ROOM.lock().unwrap_or_else(PoisonError::into_inner).take(account, bytes) {
        return Ok(Place { account: account.clone(), bytes });
    }
    let message = "Too much is being sent to this server at this moment. Send it again in a few seconds.";
    Err(Fault::new(Kind::Unavailable, "request.busy", message).retry_after(5))
}

impl Drop for Place {
    fn drop(&mut self) {
        ROOM.lock().unwrap_or_else(PoisonError::into_inner).give_back(&self.account, self.bytes);
    }
}

/// A body and the room that it takes, for as long as anybody holds it.
struct Kept {
    bytes: Bytes,
    _place: Place,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Place {
    /// Lets the room go with the body.
    pub fn keep(self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() { bytes } else { Bytes::from_owner(Kept { bytes, _place: self }) }
    }
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn one_account_does_not_take_the_room_of_others_and_room_comes_back() {
        let account = |time| AccountId::generate(time, &SystemRandom);
        let (ada, bob, eve) = (account(1), account(2), account(3));
        let mut room = Room::new(100, 40);
        assert!(room.take(&ada, 40) && !room.take(&ada, 1), "her share");
        assert!(room.take(&bob, 40) && !room.take(&eve, 21), "everybody's");
        assert!(room.take(&eve, 20));
        room.give_back(&ada, 40);
        assert!(room.take(&eve, 20) && !room.accounts.contains_key(&ada));
    }

    #[test]
    fn room_is_held_as_long_as_the_body() {
        let ada = AccountId::generate(4, &SystemRandom);
        let whole = take(&ada, SHARE).unwrap().keep(Bytes::from_static(b"body"));
        let part = whole.slice(1..2);
        drop(whole);
        assert_eq!(take(&ada, 1).map(drop).map_err(|fault| fault.code), Err("request.busy"));
        drop(part);
        assert!(take(&ada, SHARE).is_ok());
    }
}
