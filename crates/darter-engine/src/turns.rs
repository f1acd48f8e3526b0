//! Who may go now, and who waits: a bounded number at a time, and a queue in which owners take turns, so that one who
//! wants fifty does not keep another from having one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use darter_core::AccountId;
use tokio::sync::{Notify, oneshot, watch};

use crate::workspace::QueuePlace;

/// What one is thought to take before it has been seen.
const GUESS: Duration = Duration::from_millis(500);

/// Whose turn it is, of all who want the same thing of one machine.
pub(crate) struct Turns {
    limit: usize,
    most: usize,
    line: Mutex<Line>,
    quiet: Notify,
}

struct Line {
    running: usize,
    next: u64,
    /// In the order of their turns; nobody is in it without somebody waiting.
    owners: VecDeque<(AccountId, VecDeque<Waiter>)>,
    /// How long one takes, smoothed.
    average: Duration,
}

struct Waiter {
    number: u64,
    grant: oneshot::Sender<Permit>,
    place: watch::Sender<u32>,
}

/// A wait for a permit. Dropping it leaves the queue.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    number: u64,
    granted: oneshot::Receiver<Permit>,
    place: watch::Receiver<u32>,
}

/// The line is as long as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    /// When to come again.
    pub seconds: u32,
}

/// The right to go. Dropping it lets the next one go.
#[derive(Debug)]
pub(crate) struct Permit {
    turns: Arc<Turns>,
    since: Instant,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turns")
    }
}

impl Turns {
    pub(crate) fn new(limit: usize, most: usize) -> Arc<Self> {
        let line = Line { running: 0, next: 0, owners: VecDeque::new(), average: GUESS };
        Arc::new(Self { limit, most, line: Mutex::new(line), quiet: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when nobody has one.
    pub(crate) async fn quiet(&self) {
        loop {
            let quiet = self.quiet.notified();
            tokio::pin!(quiet);
            quiet.as_mut().enable();
            if self.lock().running == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// Stands in line, unless that is too long.
    pub(crate) fn enter(self: &Arc<Self>, owner: &AccountId) -> Result<Turn, Full> {
        let mut line = self.lock();
        let waiting = line.waiting();
        if waiting >= self.most && line.running >= self.limit {
            let estimate = line.estimate(u32::try_from(waiting).unwrap_or(u32::MAX), self.limit);
            return Err(Full { seconds: u32::try_from(estimate.as_secs()).unwrap_or(u32::MAX).max(1) });
        }
        let (grant, granted) = oneshot::channel();
        let (tell, place) = watch::channel(0);
        let number = line.next;
        line.next += 1;
        line.add(owner, Waiter { number, grant, place: tell });
        drop(line);
        self.advance();
        Ok(Turn { turns: Arc::clone(self), number, granted, place })
    }

    /// Lets as many go as there is room for, and tells the rest where they stand.
    fn advance(self: &Arc<Self>) {
        let mut permits = Vec::new();
        let mut line = self.lock();
        while line.running < self.limit
            && let Some(waiter) = line.pop()
        {
            line.running += 1;
            permits.push((waiter.grant, Permit { turns: Arc::clone(self), since: Instant::now() }));
        }
        line.tell();
        drop(line);
        for (grant, permit) in permits {
            // Whoever has gone meanwhile gives its permit back by dropping it; the lock is free again.
            let _ = grant.send(permit);
        }
    }
}

impl Line {
    fn waiting(&self) -> usize {
        self.owners.iter().map(|(_, waiters)| waiters.len()).sum()
    }

    fn add(&mut self, owner: &AccountId, waiter: Waiter) {
        match self.owners.iter_mut().find(|(one, _)| one == owner) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.owners.push_back((owner.clone(), VecDeque::from([waiter]))),
        }
    }

    /// The next one; its owner's turn comes again after everybody else's.
    fn pop(&mut self) -> Option<Waiter> {
        let (owner, mut waiters) = self.owners.pop_front()?;
        let waiter = waiters.pop_front();
        if !waiters.is_empty() {
            self.owners.push_back((owner, waiters));
        }
        waiter
    }

    fn tell(&self) {
        let mut place = 0;
        let rounds = self.owners.iter().map(|(_, waiters)| waiters.len()).max().unwrap_or(0);
        for round in 0..rounds {
            for waiter in self.owners.iter().filter_map(|(_, waiters)| waiters.get(round)) {
                place += 1;
                waiter.place.send_replace(place);
            }
        }
    }

    fn estimate(&self, place: u32, limit: usize) -> Duration {
        self.average * (place / u32::try_from(limit).unwrap_or(1).max(1) + 1)
    }
}

impl Turn {
    /// Waits for the permit; `each` hears the place and an estimate whenever they change.
    pub(crate) async fn wait(mut self, mut each: impl FnMut(QueuePlace)) -> Permit {
        loop {
            let place = *self.place.borrow_and_update();
            if place > 0 {
                let estimate = self.turns.lock().estimate(place, self.turns.limit);
                let estimate_ms = u64::try_from(estimate.as_millis()).unwrap_or(u64::MAX);
                each(QueuePlace { place, estimate_ms });
            }
            tokio::select! {
                biased;
                permit = &mut self.granted => match permit {
                    Ok(permit) => return permit,
                    // The sender is dropped only with this very turn.
                    Err(_) => std::future::pending().await,
                },
                Ok(()) = self.place.changed() => {}
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.turns.lock();
        for (_, waiters) in &mut line.owners {
            waiters.retain(|waiter| waiter.number != self.number);
        }
        line.owners.retain(|(_, waiters)| !waiters.is_empty());
        line.tell();
        drop(line);
        // A permit that was sent and never taken goes back when the channel is dropped, after this.
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut line = self.turns.lock();
            line.running -= 1;
            line.average = (line.average * 7 + self.since.elapsed()) / 8;
        }
        self.turns.advance();
        if self.turns.lock().running == 0 {
            self.turns.quiet.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darter_core::SystemRandom;

    fn accounts() -> [AccountId; 2] {
        [1, 2].map(|at| AccountId::generate(at, &SystemRandom))
    }

    #[tokio::test]
    async fn owners_take_turns_however_many_one_of_them_wants() {
        let [greedy, modest] = accounts();
        let turns = Turns::new(1, 100);
        let first = turns.enter(&greedy).unwrap().wait(|_| ()).await;
        let mut order = tokio::task::JoinSet::new();
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for (owner, name) in [(&greedy, "a1"), (&greedy, "a2"), (&greedy, "a3"), (&modest, "b1")] {
            let (turn, told) = (turns.enter(owner).unwrap(), told.clone());
            order.spawn(async move {
                let permit = turn.wait(|_| ()).await;
                told.send(name).unwrap();
                drop(permit);
            });
        }
        drop(first);
        let mut names = Vec::new();
        for _ in 0..4 {
            names.push(heard.recv().await.unwrap());
        }
        assert_eq!(names, ["a1", "b1", "a2", "a3"]);
        assert_eq!(turns.lock().running, 0);
    }

    #[tokio::test]
    async fn places_are_told_and_move_up_when_somebody_leaves() {
        let [one, two] = accounts();
        let turns = Turns::new(1, 100);
        let first = turns.enter(&one).unwrap().wait(|_| ()).await;
        let standing = [&one, &one, &two].map(|owner| turns.enter(owner).unwrap());
        let places = |standing: &[Turn]| standing.iter().map(|turn| *turn.place.borrow()).collect::<Vec<_>>();
        assert_eq!(places(&standing), [1, 3, 2]);
        let [leaves, second, third] = standing;
        drop(leaves);
        assert_eq!(places(&[second, third]), [1, 2]);
        drop(first);
        turns.quiet().await;
        assert_eq!(turns.lock().running, 0, "a permit for somebody who has gone goes back");
        drop(turns.enter(&two).unwrap().wait(|_| ()).await);
    }

    #[tokio::test]
    async fn beyond_the_queue_s_end_callers_are_told_when_to_come_again() {
        let [one, two] = accounts();
        let turns = Turns::new(1, 1);
        let _running = turns.enter(&one).unwrap().wait(|_| ()).await;
        let _waiting = turns.enter(&one).unwrap();
        assert!(turns.enter(&two).err().unwrap().seconds >= 1);
    }
}
