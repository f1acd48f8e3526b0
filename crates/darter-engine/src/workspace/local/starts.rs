//! Who may start now, and who waits: a bounded number at a time, and a queue in which owners take turns, so that one who
//! wants fifty does not keep another from having one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use darter_core::{AccountId, Fault, Kind};
use tokio::sync::{Notify, oneshot, watch};

use crate::workspace::QueuePlace;

/// What a start is thought to take before one has been seen.
const GUESS: Duration = Duration::from_millis(500);

/// The starts of one machine.
pub(super) struct Starts {
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
    /// How long a start takes, smoothed.
    average: Duration,
}

struct Waiter {
    number: u64,
    grant: oneshot::Sender<Permit>,
    place: watch::Sender<u32>,
}

/// A wait for a permit. Dropping it leaves the queue.
pub(super) struct Turn {
    starts: Arc<Starts>,
    number: u64,
    granted: oneshot::Receiver<Permit>,
    place: watch::Receiver<u32>,
}

/// The right to start. Dropping it lets the next one go.
#[derive(Debug)]
pub(super) struct Permit {
    starts: Arc<Starts>,
    since: Instant,
}

impl std::fmt::Debug for Starts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Starts")
    }
}

impl Starts {
    pub(super) fn new(limit: usize, most: usize) -> Arc<Self> {
        let line = Line { running: 0, next: 0, owners: VecDeque::new(), average: GUESS };
        Arc::new(Self { limit, most, line: Mutex::new(line), quiet: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when nobody is starting.
    pub(super) async fn quiet(&self) {
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

    /// Stands in line. The fault says when to come again.
    pub(super) fn enter(self: &Arc<Self>, owner: &AccountId) -> Result<Turn, Fault> {
        let mut line = self.lock();
        let waiting = line.waiting();
        if waiting >= self.most && line.running >= self.limit {
            let estimate = line.estimate(u32::try_from(waiting).unwrap_or(u32::MAX), self.limit);
            return Err(full(estimate));
        }
        let (grant, granted) = oneshot::channel();
        let (tell, place) = watch::channel(0);
        let number = line.next;
        line.next += 1;
        line.add(owner, Waiter { number, grant, place: tell });
        drop(line);
        self.advance();
        Ok(Turn { starts: Arc::clone(self), number, granted, place })
    }

    /// Lets as many go as there is room for, and tells the rest where they stand.
    fn advance(self: &Arc<Self>) {
        let mut permits = Vec::new();
        let mut line = self.lock();
        while line.running < self.limit
            && let Some(waiter) = line.pop()
        {
            line.running += 1;
            permits.push((waiter.grant, Permit { starts: Arc::clone(self), since: Instant::now() }));
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

fn full(estimate: Duration) -> Fault {
    let seconds = u32::try_from(estimate.as_secs()).unwrap_or(u32::MAX).max(1);
    Fault::new(
        Kind::RateLimited,
        "workspace.queue_full",
        format!("More workspaces are being started than this server can take. Try again in {seconds} s."),
    )
    .retry_after(seconds)
}

impl Turn {
    /// Waits for the permit; `each` hears the place and an estimate whenever they change.
    pub(super) async fn wait(mut self, mut each: impl FnMut(QueuePlace)) -> Permit {
        loop {
            let place = *self.place.borrow_and_update();
            if place > 0 {
                let estimate = self.starts.lock().estimate(place, self.starts.limit);
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
        let mut line = self.starts.lock();
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
            let mut line = self.starts.lock();
            line.running -= 1;
            line.average = (line.average * 7 + self.since.elapsed()) / 8;
        }
        self.starts.advance();
        if self.starts.lock().running == 0 {
            self.starts.quiet.notify_waiters();
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
        let starts = Starts::new(1, 100);
        let first = starts.enter(&greedy).unwrap().wait(|_| ()).await;
        let mut order = tokio::task::JoinSet::new();
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for (owner, name) in [(&greedy, "a1"), (&greedy, "a2"), (&greedy, "a3"), (&modest, "b1")] {
            let (turn, told) = (starts.enter(owner).unwrap(), told.clone());
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
        assert_eq!(starts.lock().running, 0);
    }

    #[tokio::test]
    async fn places_are_told_and_move_up_when_somebody_leaves() {
        let [one, two] = accounts();
        let starts = Starts::new(1, 100);
        let first = starts.enter(&one).unwrap().wait(|_| ()).await;
        let turns = [&one, &one, &two].map(|owner| starts.enter(owner).unwrap());
        let places = |turns: &[Turn]| turns.iter().map(|turn| *turn.place.borrow()).collect::<Vec<_>>();
        assert_eq!(places(&turns), [1, 3, 2]);
        let [leaves, second, third] = turns;
        drop(leaves);
        assert_eq!(places(&[second, third]), [1, 2]);
        drop(first);
        starts.quiet().await;
        assert_eq!(starts.lock().running, 0, "a permit for somebody who has gone goes back");
        drop(starts.enter(&two).unwrap().wait(|_| ()).await);
    }

    #[tokio::test]
    async fn beyond_the_queue_s_end_callers_are_told_when_to_come_again() {
        let [one, two] = accounts();
        let starts = Starts::new(1, 1);
        let _running = starts.enter(&one).unwrap().wait(|_| ()).await;
        let _waiting = starts.enter(&one).unwrap();
        let fault = starts.enter(&two).err().unwrap();
        assert_eq!((fault.code, fault.kind), ("workspace.queue_full", Kind::RateLimited));
        assert!(fault.retry_after.is_some_and(|seconds| seconds >= 1));
    }
}
