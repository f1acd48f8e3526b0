//! One viewer of a terminal: reads from where it is, at its own speed. Falling behind, it misses what is no longer kept;
//! it must never hold up a faster one.

use std::sync::Arc;

use bytes::Bytes;

use super::Terminal;

/// What a viewer is given at a time.
const PIECE: usize = 32 << 10;

/// Looks at a terminal until it is dropped.
pub(crate) struct View {
    pub(crate) terminal: Arc<Terminal>,
    key: u64,
    /// How much of what comes is from before the visit.
    pub(crate) replayed: u64,
}

impl View {
    pub(crate) fn new(terminal: Arc<Terminal>) -> Self {
        let (key, replayed) = {
            let mut inner = terminal.lock();
            let (key, place) = (inner.next_view, inner.replay.beginning());
            inner.next_view += 1;
            inner.visits += 1;
            inner.views.insert(key, place);
            (key, inner.replay.end() - place)
        };
        Self { terminal, key, replayed }
    }

    /// What comes next; `None`: the program has ended and everything was read.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let printed = self.terminal.printed.notified();
            tokio::pin!(printed);
            printed.as_mut().enable();
            // Asked first: what was printed before the end must be seen.
            let ended = self.terminal.exit.get().is_some();
            let bytes = self.advance();
            match (bytes.is_empty(), ended) {
                (false, _) => return Some(bytes),
                (true, true) => return None,
                (true, false) => printed.await,
            }
        }
    }

    fn advance(&self) -> Bytes {
        let mut inner = self.terminal.lock();
        let place = inner.views.get(&self.key).copied().unwrap_or_default();
        let (bytes, after) = inner.replay.read(place, PIECE);
        inner.views.insert(self.key, after);
        drop(inner);
        self.terminal.read.notify_one();
        bytes
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.terminal.lock().views.remove(&self.key);
        self.terminal.read.notify_one();
    }
}
