//! Room in memory for what snapshots list. A home of a million files lists hundreds of megabytes, and whoever owns such
//! homes can ask for many of them at once: so few are read at a time, and fewer are held. Small ones are as many as there
//! are.

use std::time::Duration;

use darter_core::{Fault, Kind};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Up to this many bytes of text a list is a small one.
pub(super) const SMALL: usize = 8 << 20;
/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(30);

/// Read at a time, whatever their size: that is not known before.
static READING: Semaphore = Semaphore::const_new(4);
/// Large ones that somebody looks into.
static LOOKING: Semaphore = Semaphore::const_new(2);
/// Large ones that are held while a workspace sends or takes files, at its own pace.
static HELD: Semaphore = Semaphore::const_new(2);

/// A place; a small one needs none.
#[derive(Debug, Default)]
pub(super) struct Room(Option<SemaphorePermit<'static>>);

fn busy() -> Fault {
    let message = "The server is busy with the snapshots of large homes. Try again in a minute.";
    Fault::new(Kind::Unavailable, "snapshot.busy", message).retry_after(60)
}

async fn place(places: &'static Semaphore) -> Result<Room, Fault> {
    let got = tokio::time::timeout(PATIENCE, places.acquire()).await;
    got.map_err(|_| busy())?.map(|permit| Room(Some(permit))).map_err(Fault::internal)
}

impl Room {
    /// To read one from the vault.
    pub async fn reading() -> Result<Self, Fault> {
        place(&READING).await
    }

    /// For a list of so many bytes.
    pub async fn of(bytes: usize) -> Result<Self, Fault> {
        if bytes > SMALL { place(&LOOKING).await } else { Ok(Self::default()) }
    }

    /// Another place for the same, if there is one now; a small one still needs none.
    pub fn held_for_long(self) -> Result<Self, Fault> {
        if self.0.is_some() { Self::long() } else { Ok(self) }
    }

    /// For a large one that is held for as long as a workspace likes.
    pub fn long() -> Result<Self, Fault> {
        HELD.try_acquire().map(|permit| Self(Some(permit))).map_err(|_| busy())
    }

    /// Nothing is held here.
    pub fn is_small(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_lists_wait_for_each_other_and_small_ones_for_nobody() {
        let both = [Room::of(SMALL + 1).await.unwrap(), Room::of(SMALL + 1).await.unwrap()];
        for _ in 0..100 {
            assert!(Room::of(SMALL).await.unwrap().held_for_long().unwrap().is_small());
        }
        let [one, two] = both.map(|room| room.held_for_long().unwrap());
        let third = Room::of(SMALL + 1).await.unwrap();
        assert_eq!(third.held_for_long().unwrap_err().code, "snapshot.busy");
        drop((one, two));
        assert!(!Room::long().unwrap().is_small());
    }
}
