//! Whether a runtime's event loop answers, and who waits for its answers.

use std::collections::HashMap;

use tokio::sync::oneshot;

/// Questions that are open.
#[derive(Debug, Default)]
pub struct Health {
    next: u64,
    /// The ping whose pong is missing, and for how many ticks.
    missing: Option<(u64, u32)>,
    barriers: HashMap<u64, oneshot::Sender<()>>,
    publishes: Vec<(String, u32, oneshot::Sender<()>)>,
}

/// What a tick has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Ask.
    Ping(u64),
    /// A pong is still awaited, for so many ticks now.
    Late(u32),
    /// Nothing is in flight, nothing is asked.
    Rest,
}

impl Health {
    /// A tick of the engine's clock; `busy`: somebody waits for an answer of this instance.
    pub fn beat(&mut self, busy: bool) -> Beat {
        match &mut self.missing {
            Some((_, ticks)) => {
                *ticks += 1;
                Beat::Late(*ticks)
            }
            None if busy => {
                self.next += 1;
                self.missing = Some((self.next, 0));
                Beat::Ping(self.next)
            }
            None => Beat::Rest,
        }
    }

    /// A pong came.
    pub fn pong(&mut self, seq: u64) {
        if self.missing.is_some_and(|(missing, _)| missing <= seq) {
            self.missing = None;
        }
        if let Some(waiting) = self.barriers.remove(&seq) {
            // Who asked may have given up.
            let _ = waiting.send(());
        }
    }

    /// A pong is awaited.
    pub fn is_late(&self) -> bool {
        self.missing.is_some()
    }

    /// A ping of one's own: its pong says that everything sent before it has been done.
    pub fn barrier(&mut self) -> (u64, oneshot::Receiver<()>) {
        self.next += 1;
        let (sender, receiver) = oneshot::channel();
        self.barriers.insert(self.next, sender);
        (self.next, receiver)
    }

    /// Waits for a function's version to be there.
    pub fn expect(&mut self, name: &str, version: u32) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.publishes.push((name.to_owned(), version, sender));
        receiver
    }

    /// A function's version is there.
    pub fn published(&mut self, name: &str, version: u32) {
        let there = |(expected, at, _): &mut (String, u32, _)| expected == name && *at == version;
        for (_, _, waiting) in self.publishes.extract_if(.., there) {
            let _ = waiting.send(());
        }
    }

    /// The instance has ended: nobody will answer.
    pub fn end(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_pong_is_counted_until_it_comes() {
        let mut health = Health::default();
        assert_eq!(health.beat(false), Beat::Rest);
        assert_eq!(health.beat(true), Beat::Ping(1));
        assert_eq!(health.beat(true), Beat::Late(1));
        assert_eq!(health.beat(false), Beat::Late(2));
        health.pong(1);
        assert_eq!(health.beat(false), Beat::Rest);
        assert_eq!(health.beat(true), Beat::Ping(2));
    }

    #[test]
    fn who_waits_is_told_and_the_end_lets_all_go() {
        let mut health = Health::default();
        let (seq, mut passed) = health.barrier();
        let mut there = health.expect("f", 3);
        let mut never = health.expect("f", 4);
        health.pong(seq);
        health.published("f", 3);
        assert!(passed.try_recv().is_ok() && there.try_recv().is_ok());
        health.end();
        assert_eq!(never.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
