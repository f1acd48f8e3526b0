//! The body of an app's answer while it streams: its place in the instance, its length, its clocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use darter_wire::{Lease, ResponseBody};
use http_body::SizeHint;
use tokio::task::AbortHandle;

use super::deadline::{Deadlines, Expired};
use crate::reply::ReplyError;
use crate::server::Inner;

/// An answer under way. A client that stops reading stops everything behind it; the watchdog ends what takes too long,
/// even when nobody asks for the next byte.
pub struct AppBody {
    live: Arc<Mutex<Live>>,
    deadlines: Deadlines,
    watchdog: AbortHandle,
    /// What the function has announced and not sent.
    announced: Option<u64>,
    ended: bool,
}

struct Live {
    source: Option<(ResponseBody, Lease)>,
    expired: Option<Expired>,
    waker: Option<Waker>,
}

fn lock(live: &Mutex<Live>) -> MutexGuard<'_, Live> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AppBody {
    pub(crate) fn new(
        inner: &Inner,
        body: ResponseBody,
        lease: Lease,
        announced: Option<u64>,
        deadlines: &Deadlines,
    ) -> Self {
        deadlines.touch();
        let live = Arc::new(Mutex::new(Live { source: Some((body, lease)), expired: None, waker: None }));
        let (watched, clocks) = (Arc::clone(&live), deadlines.clone());
        let watchdog = inner.tasks.spawn(async move {
            let expired = clocks.expired().await;
            let (source, waker) = {
                let mut live = lock(&watched);
                live.expired = Some(expired);
                (live.source.take(), live.waker.take())
            };
            // Gives the place back and cancels the request in the runtime.
            drop(source);
            waker.into_iter().for_each(Waker::wake);
        });
        Self { live, deadlines: deadlines.clone(), watchdog: watchdog.abort_handle(), announced, ended: false }
    }

    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReplyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = {
            let mut live = lock(&self.live);
            match &mut live.source {
                None => {
                    let expired = live.expired.unwrap_or(Expired::Total);
                    self.ended = true;
                    return Poll::Ready(Some(Err(ReplyError::Cut(format!("{expired:?} timeout")))));
                }
                Some((body, _)) => match body.poll_chunk(cx) {
                    Poll::Pending => {
                        live.waker = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    Poll::Ready(next) => next,
                },
            }
        };
        self.deadlines.touch();
        Poll::Ready(match next {
            Some(Ok(chunk)) => Some(self.count(chunk)),
            Some(Err(error)) => Some(Err(self.cut(error.to_string()))),
            None if self.announced.is_some_and(|left| left > 0) => {
                Some(Err(self.cut("the function sent less than its content-length".into())))
            }
            None => {
                self.finish();
                None
            }
        })
    }

    fn count(&mut self, chunk: Bytes) -> Result<Bytes, ReplyError> {
        if let Some(left) = &mut self.announced {
            match left.checked_sub(chunk.len() as u64) {
                Some(rest) => *left = rest,
                None => return Err(self.cut("the function sent more than its content-length".into())),
            }
        }
        Ok(chunk)
    }

    fn cut(&mut self, reason: String) -> ReplyError {
        self.finish();
        ReplyError::Cut(reason)
    }

    fn finish(&mut self) {
        self.ended = true;
        self.watchdog.abort();
        lock(&self.live).source = None;
    }

    pub(crate) fn is_end(&self) -> bool {
        self.ended
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for AppBody {
    fn drop(&mut self) {
        self.watchdog.abort();
    }
}
