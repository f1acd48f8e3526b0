//! Phase 6: the request goes to an instance; the answer's head comes back.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use darter_wire::{Answer, Begin, Lease, RequestHead, RequestSink, Response, WireError, reset};
use http::Method;
use http::request::Parts;

use super::deadline::Deadlines;
use super::meter::Meter;
use super::route::Address;
use super::upload::{Broken, Stream, Upload};
use super::wake;
use crate::context::Context;
use crate::directory::AppRoute;
use crate::page::Problem;
use crate::server::Inner;

/// Everything about one request that does not change while it is tried.
pub(crate) struct Exchange<'a> {
    pub inner: &'a Arc<Inner>,
    pub context: &'a Context,
    pub app: &'a AppRoute,
    pub parts: &'a Parts,
    pub address: &'a Address,
    pub deadlines: &'a Deadlines,
}

/// What of the request is still under way when the answer begins.
pub(crate) enum Rest {
    Nothing,
    /// The body goes on while the answer comes.
    Body(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>),
    Tunnel(RequestSink),
}

impl Rest {
    /// Lets a body go on in a task of its own, as long as its clocks allow.
    pub fn detach(self, inner: &Inner, deadlines: &Deadlines) {
        match self {
            Self::Nothing => {}
            // The upgrade was not granted: nothing more comes from the client.
            Self::Tunnel(sink) => sink.finish(),
            Self::Body(pump) => {
                let (deadlines, stopped) = (deadlines.clone(), inner.stopped.clone());
                inner.tasks.spawn(async move {
                    tokio::select! {
                        () = pump => {}
                        _ = deadlines.expired() => {}
                        () = stopped.cancelled() => {}
                    }
                });
            }
        }
    }
}

impl Exchange<'_> {
    /// Tries an instance, and another one when the first had certainly not begun.
    pub async fn run(&self, upload: Upload, meter: &mut Meter) -> Result<(Response, Lease, Rest), Problem> {
        match upload {
            Upload::Whole(body) => {
                meter.received(body.len() as u64);
                self.whole(body).await
            }
            Upload::Stream(stream) => self.stream(stream, meter).await,
            Upload::Tunnel => {
                let (lease, sink, answer) = self.open(Begin::Upgrade).await?;
                let sink = sink.ok_or_else(|| problem_of(&WireError::AlreadyTaken, self.deadlines))?;
                let reply = self.head(answer).await?.map_err(|error| problem_of(&error, self.deadlines))?;
                Ok((reply, lease, Rest::Tunnel(sink)))
            }
        }
    }

    async fn whole(&self, body: Bytes) -> Result<(Response, Lease, Rest), Problem> {
        let mut retried = false;
        loop {
            let sent = Instant::now();
            let (lease, _, answer) = self.open(Begin::Whole(body.clone())).await?;
            match self.head(answer).await? {
                Ok(reply) => return Ok((reply, lease, Rest::Nothing)),
                Err(error) if !retried && self.may_retry(&error, sent) => retried = true,
                Err(error) => return Err(problem_of(&error, self.deadlines)),
            }
        }
    }

    /// A request that the instance has not begun may go to another; one that it may have seen only when it is safe to
    /// repeat, and not when it is old enough to be what killed the instance.
    fn may_retry(&self, error: &WireError, sent: Instant) -> bool {
        let safe = matches!(self.parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let innocent = sent.elapsed() < self.deadlines.stuck_after;
        error.is_untouched() || (matches!(error, WireError::Closed(_)) && safe && innocent)
    }

    async fn stream(&self, mut stream: Stream, meter: &mut Meter) -> Result<(Response, Lease, Rest), Problem> {
        let (lease, sink, answer) = self.open(Begin::Streaming).await?;
        let sink = sink.ok_or_else(|| problem_of(&WireError::AlreadyTaken, self.deadlines))?;
        let limit = self.app.limits.request_body_bytes;
        let (counted, deadlines) = (meter.upload_counter(), self.deadlines.clone());
        let inner = Arc::clone(self.inner);
        let (report, mut broken) = tokio::sync::oneshot::channel::<Broken>();
        let mut pump: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let result = stream.pump(sink, &deadlines, &counted).await;
            if let Err(error) = result {
                let refused = matches!(error, Broken::TooLarge | Broken::Runtime);
                // Nobody listens any more when the answer has begun.
                let _ = report.send(error);
                if refused {
                    stream.linger(&inner);
                }
            }
        });
        let mut answer = std::pin::pin!(self.head(answer));
        tokio::select! {
            biased;
            head = answer.as_mut() => {
                let reply = match head? {
                    Ok(reply) => reply,
                    Err(error) => return Err(broken.try_recv().ok().and_then(|broken| broken.problem(limit)).unwrap_or_else(|| problem_of(&error, self.deadlines))),
                };
                return Ok((reply, lease, Rest::Body(pump)));
            }
            () = pump.as_mut() => {}
        }
        if let Some(problem) = broken.try_recv().ok().and_then(|broken| broken.problem(limit)) {
            return Err(problem);
        }
        let reply = answer.await?.map_err(|error| problem_of(&error, self.deadlines))?;
        Ok((reply, lease, Rest::Nothing))
    }

    /// Wakes an instance and queues the head; once more when the first turns out to be going.
    async fn open(&self, begin: Begin) -> Result<(Lease, Option<RequestSink>, Answer), Problem> {
        let mut retried = false;
        loop {
            let version = self.address.version.as_ref();
            let lease =
                wake::wake(self.inner.directory.as_ref(), &self.app.app, version, self.deadlines.left()).await?;
            self.deadlines.touch();
            let number;
            let pin = match version {
                Some((_, version)) => {
                    number = version.to_string();
                    number.as_str()
                }
                None => "",
            };
            let method = if matches!(begin, Begin::Upgrade) { "GET" } else { self.parts.method.as_str() };
            let head = RequestHead {
                method,
                target: &self.address.target,
                request_id: self.context.request_id(),
                client_ip: &self.context.client_text,
                deadline_ms: u64::try_from(self.deadlines.left().as_millis()).unwrap_or(u64::MAX).max(1),
                pin,
                headers: &self.parts.headers,
            };
            match lease.connection.open(&head, begin.clone()) {
                Ok((sink, answer)) => return Ok((lease, sink, answer)),
                Err(error) if !retried && error.is_untouched() => retried = true,
                Err(error) => return Err(problem_of(&error, self.deadlines)),
            }
        }
    }

    /// Waits for the answer's head within both clocks.
    async fn head(&self, answer: Answer) -> Result<Result<Response, WireError>, Problem> {
        tokio::select! {
            biased;
            reply = answer => Ok(reply),
            expired = self.deadlines.expired() => Err(self.deadlines.problem(expired)),
        }
    }
}

/// What a failed exchange means to the client.
pub(crate) fn problem_of(error: &WireError, deadlines: &Deadlines) -> Problem {
    let crashed = || {
        Problem::new(
            502,
            "app.crashed",
            "The app's process ended while it worked on this request. Try again; its logs say why it ended.",
        )
        .retry_after(1)
    };
    match error {
        WireError::Draining | WireError::Unsent(_) | WireError::TooManyStreams | WireError::Congested => {
            Problem::new(503, "app.overloaded", "The app takes no more requests right now. Try again in a moment.")
                .retry_after(1)
        }
        WireError::Closed(_) if deadlines.began.elapsed() >= deadlines.stuck_after => Problem::new(
            504,
            "function.stuck",
            "The app's event loop did not come back: a function computes without end. Its process was restarted; the logs name the function.",
        ),
        WireError::Closed(_) => crashed(),
        WireError::Reset { code: reset::REFUSED, .. } => {
            Problem::new(503, "app.overloaded", "The app is just being replaced. Try again.").retry_after(1)
        }
        WireError::Reset { code: reset::DEADLINE, .. } => deadlines.problem(super::deadline::Expired::Total),
        WireError::Reset { .. } => {
            Problem::new(502, "function.failed", "The function's process gave up on this request. Its logs say why.")
        }
        WireError::HeadTooLarge => Problem::new(
            431,
            "request.head_too_large",
            "Path and headers together are too large. Send less, for example smaller cookies.",
        ),
        WireError::HeadMalformed => {
            Problem::new(400, "request.head_invalid", "A header or the path holds a byte that is not allowed there.")
        }
        WireError::BodyTooLong | WireError::AlreadyTaken => Problem::new(
            500,
            "server.internal",
            "Something went wrong on our side. Try again; quote the request id if it stays.",
        ),
    }
}
