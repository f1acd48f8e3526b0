//! Slows guessing down: of passwords, reset tokens, invitations.
//!
//! Each attempt is counted before it is judged, so that a thousand at the same moment are not a thousand free ones; a
//! right one clears the count of its account and address. Counted in memory, of a bounded size; counts past the free
//! attempts are written to the store a moment later, so that a restart does not forgive them.

use std::net::IpAddr;

use darter_core::{Fault, Kind, Millis};
use darter_store::guess::Guess;
use darter_store::{Store, guess as store};
use dashmap::{DashMap, DashSet};

/// Attempts on one account from one address before the first wait.
const FREE_PAIR: u32 = 5;
/// Attempts of one address, whatever it tries, before the first wait. A school may have one address.
const FREE_ADDRESS: u32 = 100;
/// The longest wait.
const LONGEST: Millis = 15 * 60_000;
/// A count without an attempt for this long is forgotten.
pub(crate) const FORGET: Millis = 24 * 3_600_000;
/// Counts that are kept. When there are more, those that wait for nothing go first.
const MOST: usize = 50_000;
/// Counts written in one transaction.
const AT_ONCE: usize = 2_000;
/// What the name of a count of an address begins with; all others are digests.
const ADDRESS: &str = "address ";

#[derive(Debug, Clone, Copy)]
struct Count {
    attempts: u32,
    last: Millis,
}

impl Count {
    /// When the next attempt is allowed.
    fn until(self, free: u32) -> Millis {
        let Some(over) = self.attempts.checked_sub(free) else { return 0 };
        self.last + (1_000i64 << over.min(20)).min(LONGEST)
    }
}

/// Counts of attempts.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    counts: DashMap<String, Count>,
    /// Names whose count the store does not know as it is now.
    unwritten: DashSet<String>,
}

impl Guesses {
    /// Counts an attempt on `target` from `address`, or says how long to wait. `target` is what is guessed at, such as
    /// `password:ada`.
    pub fn attempt(&self, target: &str, address: &str, now: Millis) -> Result<(), Fault> {
        let network = network(address);
        self.count(one(&network), FREE_ADDRESS, now)?;
        self.count(pair(target, &network), FREE_PAIR, now)
    }

    /// Counts an attempt of `address` at something that is nobody's in particular: starting a sign-in elsewhere, a
    /// reset code.
    pub fn attempt_widely(&self, address: &str, now: Millis) -> Result<(), Fault> {
        self.count(one(&network(address)), FREE_ADDRESS, now)
    }

    /// It came to something good: it does not count.
    pub fn succeeded_widely(&self, address: &str) {
        let name = one(&network(address));
        if let Some(mut count) = self.counts.get_mut(&name) {
            count.attempts = count.attempts.saturating_sub(1);
            self.unwritten.insert(name);
        }
    }

    fn count(&self, key: String, free: u32, now: Millis) -> Result<(), Fault> {
        if self.counts.len() >= MOST {
            self.make_room(now);
        }
        let name = key.clone();
        let mut count = self.counts.entry(key).or_insert(Count { attempts: 0, last: now });
        // A clock that jumped backwards must not lock anybody out.
        if now < count.last || now - count.last > FORGET {
            *count = Count { attempts: count.attempts.min(free), last: now };
        }
        let until = count.until(free);
        if until > now {
            let seconds = u32::try_from((until - now + 999) / 1_000).unwrap_or(u32::MAX);
            let message = format!("Too many attempts. Wait {seconds} seconds, then try again.");
            return Err(Fault::new(Kind::RateLimited, "auth.too_many_attempts", message).retry_after(seconds));
        }
        *count = Count { attempts: count.attempts.saturating_add(1), last: now };
        if count.attempts >= free {
            self.unwritten.insert(name);
        }
        Ok(())
    }

    /// A right answer: this address no longer guesses at this target.
    pub fn succeeded(&self, target: &str, address: &str) {
        let name = pair(target, &network(address));
        self.counts.remove(&name);
        self.unwritten.insert(name);
        self.succeeded_widely(address);
    }

    /// At the start: what an earlier life of the server counted.
    pub async fn load(&self, db: &Store) -> Result<(), Fault> {
        for Guess { name, attempts, last } in store::list(&mut *db.read().await?, MOST as u32 / 2).await? {
            self.counts.insert(name, Count { attempts, last });
        }
        Ok(())
    }

    /// Writes what has changed. What can not be written now is tried again.
    pub async fn write(&self, db: &Store) -> Result<(), Fault> {
        let names: Vec<String> = self.unwritten.iter().map(|name| name.clone()).take(AT_ONCE).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut tx = db.write().await?;
        for name in &names {
            // Taken off first: a count that changes from here on is written the next time.
            self.unwritten.remove(name);
            let count = self.counts.get(name).map(|count| *count);
            match count.filter(|count| count.attempts >= free(name)) {
                Some(Count { attempts, last }) => {
                    store::keep(&mut tx, &Guess { name: name.clone(), attempts, last }).await
                }
                None => store::remove(&mut tx, name).await,
            }?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets what is old.
    pub fn sweep(&self, now: Millis) {
        self.counts.retain(|_, count| now - count.last <= FORGET);
    }

    fn make_room(&self, now: Millis) {
        self.counts.retain(|key, count| count.until(free(key)) > now);
        if self.counts.len() < MOST {
            return;
        }
        // All of them wait: those that wait the shortest go, so that a flood of small offenders frees no large one.
        let mut ends: Vec<Millis> = self.counts.iter().map(|entry| entry.until(free(entry.key()))).collect();
        let (_, middle, _) = ends.select_nth_unstable(MOST / 2);
        let middle = *middle;
        self.counts.retain(|key, count| count.until(free(key)) > middle);
    }
}

/// Attempts before the first wait, of what a name stands for.
fn free(name: &str) -> u32 {
    if name.starts_with(ADDRESS) { FREE_ADDRESS } else { FREE_PAIR }
}

fn one(network: &str) -> String {
    format!("{ADDRESS}{network}")
}

fn pair(target: &str, network: &str) -> String {
    // A digest: what people type into the field for their name may be their password.
    blake3::hash(format!("{network}\0{target}").as_bytes()).to_hex().to_string()
}

/// Who has one IPv6 address has 2^64 of them.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(guesses: &Guesses, target: &str, address: &str, now: Millis) -> Option<u32> {
        guesses.attempt(target, address, now).err().map(|fault| fault.retry_after.unwrap())
    }

    #[test]
    fn each_wrong_attempt_after_the_free_ones_waits_twice_as_long() {
        let guesses = Guesses::default();
        for _ in 0..FREE_PAIR {
            assert_eq!(wait(&guesses, "ada", "192.0.2.1", 0), None);
        }
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", 0), Some(1));
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", 1_000), None);
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", 1_000), Some(2));
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", 3_000), None);
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", 3_000), Some(4));
    }

    #[test]
    fn a_right_answer_and_another_address_are_not_slowed() {
        let guesses = Guesses::default();
        for _ in 0..=FREE_PAIR {
            let _ = guesses.attempt("ada", "192.0.2.1", 0);
        }
        assert_eq!(wait(&guesses, "ada", "192.0.2.2", 0), None);
        assert_eq!(wait(&guesses, "bob", "192.0.2.1", 0), None);
        guesses.succeeded("ada", "192.0.2.1");
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", 0), None);
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_over_its_whole_network() {
        let guesses = Guesses::default();
        for number in 0..FREE_ADDRESS {
            assert_eq!(wait(&guesses, &format!("user{number}"), &format!("2001:db8::{number:x}"), 0), None);
        }
        assert_eq!(wait(&guesses, "another", "2001:db8::ffff", 0), Some(1));
        assert_eq!(wait(&guesses, "another", "2001:db8:0:1::1", 0), None);
    }

    #[test]
    fn the_wait_has_an_end_and_a_clock_that_jumps_back_locks_nobody_out() {
        let guesses = Guesses::default();
        let mut now = 0;
        for _ in 0..60 {
            now += LONGEST;
            assert_eq!(wait(&guesses, "ada", "192.0.2.1", now), None);
        }
        assert_eq!(wait(&guesses, "ada", "192.0.2.1", now), Some(900));
        assert!(wait(&guesses, "ada", "192.0.2.1", 0).is_none_or(|seconds| seconds <= 1));
    }

    #[test]
    fn memory_is_bounded_and_a_flood_frees_nobody_who_waits_long() {
        let guesses = Guesses::default();
        for number in 0..MOST + 10 {
            let _ = guesses.count(format!("{number}"), FREE_PAIR, 0);
        }
        assert!(guesses.counts.len() <= MOST);
        guesses.counts.insert("long".into(), Count { attempts: FREE_PAIR + 10, last: 0 });
        for number in 0..2 * MOST {
            guesses.counts.insert(format!("short {number}"), Count { attempts: FREE_PAIR, last: 0 });
        }
        guesses.make_room(0);
        assert!(guesses.counts.len() <= MOST && guesses.counts.contains_key("long"));
    }

    #[tokio::test]
    async fn a_restart_does_not_forgive() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open_file(&data.path().join("control.db")).await.unwrap();
        let before = Guesses::default();
        for _ in 0..FREE_PAIR {
            assert_eq!(wait(&before, "ada", "192.0.2.1", 0), None);
            assert_eq!(wait(&before, "bob", "192.0.2.1", 0), None);
        }
        assert_eq!(wait(&before, "eve", "192.0.2.1", 0), None);
        before.write(&store).await.unwrap();
        before.succeeded("bob", "192.0.2.1");
        before.write(&store).await.unwrap();
        let after = Guesses::default();
        after.load(&store).await.unwrap();
        assert_eq!(after.counts.len(), 1, "only what is past the free attempts is kept");
        assert_eq!(wait(&after, "ada", "192.0.2.1", 0), Some(1));
        assert_eq!(wait(&after, "bob", "192.0.2.1", 0), None);
    }
}
