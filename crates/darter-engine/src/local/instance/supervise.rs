//! Watches one instance: hears its words, keeps its logs, and says in words how it ended.

use std::sync::Arc;
use std::time::Duration;

use darter_core::instance::Event;
use darter_core::record::{Level, LogRecord, LogSource};
use darter_sandbox::{Exit, ExitReason};
use tokio::net::unix::pipe::Receiver;

use super::{Ending, Instance};
use crate::local::control::{Ear, MESSAGE, Word, clamp};
use crate::local::slot::Heap;
use crate::local::{Shared, output};

/// A process whose channels have closed is given this long to end by itself, so that we learn how.
const LAST_MOMENTS: Duration = Duration::from_secs(2);

impl Instance {
    /// Runs until the instance has ended and is forgotten.
    pub(in crate::local) async fn supervise(
        self: Arc<Self>,
        engine: Arc<Shared>,
        mut ear: Ear,
        pipes: (Receiver, Receiver),
    ) {
        // Whoever waits for the end is let go, however this ends.
        let _gone = self.gone.clone().drop_guard();
        let out = tokio::spawn(Arc::clone(&self).keep_output(Arc::clone(&engine), pipes.0, Level::Info));
        let err = tokio::spawn(Arc::clone(&self).keep_output(Arc::clone(&engine), pipes.1, Level::Error));
        let broken = loop {
            tokio::select! {
                biased;
                word = ear.next() => match word {
                    Some(Ok(word)) => self.hear(&engine, word),
                    Some(Err(why)) => break Some(why),
                    None => break None,
                },
                _ = self.connection.closed() => break None,
                _ = self.sandbox.wait() => break None,
            }
        };
        if let Some(why) = broken {
            self.kill(Ending::Broken(why));
        }
        let ended = tokio::time::timeout(LAST_MOMENTS, self.sandbox.wait()).await;
        let exit = match ended {
            Ok(exit) => exit,
            Err(_) => {
                // Its connection or its control channel is gone: nobody can reach it any more.
                self.kill(Ending::Broken("closed a channel to the platform"));
                self.sandbox.wait().await
            }
        };
        // Words and lines that were on the way when it ended.
        while let Ok(Some(Ok(word))) = tokio::time::timeout(LAST_MOMENTS, ear.next()).await {
            self.hear(&engine, word);
        }
        let _ = tokio::time::timeout(LAST_MOMENTS, async { tokio::join!(out, err) }).await;
        self.connection.close();
        self.health().end();
        let in_flight = self.ladder().in_flight;
        let _ = self.apply(Event::Crashed, &self.rest);
        let unexpected = self.report(&engine, exit, in_flight);
        engine.bury(&self, unexpected);
    }

    fn hear(self: &Arc<Self>, engine: &Shared, word: Word) {
        match word {
            Word::Log { level, function, version, request_id, time, message } => {
                let level = match level.as_str() {
                    "debug" => Level::Debug,
                    "warn" => Level::Warn,
                    "error" => Level::Error,
                    _ => Level::Info,
                };
                // A record may be a little older than now (it waited), never newer, and never much older.
                let now = engine.clock.now();
                engine.source.log(LogRecord {
                    time: (time as i64).clamp(now - 60_000, now),
                    app: self.app.id.clone(),
                    source: LogSource::Function,
                    level,
                    function: clamp(function, 256),
                    version,
                    request_id: clamp(request_id, 64),
                    message: clamp(message, MESSAGE),
                });
            }
            Word::Pong { seq } => self.health().pong(seq),
            Word::Published { name, version } => self.health().published(&name, version),
            Word::Loaded { errors } => {
                // Each of them was logged by the runtime with its function and line.
                tracing::debug!(instance = %self.id, errors = errors.len(), "loaded");
                let _ = self.apply(Event::Loaded, &self.rest);
                self.app.survived_start();
            }
            Word::Hello { .. } | Word::Stuck | Word::Drained | Word::Unknown => {}
        }
    }

    async fn keep_output(self: Arc<Self>, engine: Arc<Shared>, pipe: Receiver, level: Level) {
        output::lines(pipe, |message| {
            engine.source.log(LogRecord {
                time: engine.clock.now(),
                app: self.app.id.clone(),
                source: LogSource::Function,
                level,
                function: String::new(),
                version: 0,
                request_id: String::new(),
                message,
            });
        })
        .await;
    }

    /// Tells the owner, unless the end was wanted. True: it was not.
    fn report(&self, engine: &Shared, exit: Exit, in_flight: u32) -> bool {
        let words = match self.ending() {
            Some(Ending::Wanted) => return false,
            Some(Ending::Stuck) => return true,
            Some(Ending::Broken(why)) => {
                format!(
                    "The instance was ended because its runtime {why}. This happens when code tampers with the runtime's own sockets."
                )
            }
            None if exit.reason == ExitReason::Killed || exit.reason == ExitReason::LauncherGone => return false,
            None => self.words(exit),
        };
        // Whoever waited has given the place back by now, perhaps; what the connection lost is kept.
        let lost = u32::try_from(self.connection.unanswered().len()).unwrap_or(0).max(in_flight);
        let lost = if lost > 0 {
            format!(" {lost} requests were in flight and got an error.{}", self.in_flight_words())
        } else {
            String::new()
        };
        engine.tell(&self.app.id, Level::Error, format!("{words}{lost} The next request starts a new instance."));
        true
    }

    fn words(&self, exit: Exit) -> String {
        let limit = self.limits.memory_bytes >> 20;
        let heap = Heap::within(self.limits.memory_bytes).old;
        match exit.reason {
            ExitReason::OutOfMemory => format!(
                "The instance ran out of memory: its limit is {limit} MiB. Hold less in memory at once, or raise the app's memory limit."
            ),
            ExitReason::Signal(6) | ExitReason::Code(134) => format!(
                "The instance aborted: most likely JavaScript's heap was full (the app's memory limit is {limit} MiB, of which {heap} MiB are for JavaScript's objects). V8's last words stand before this line. Hold less in memory at once, or raise the app's memory limit."
            ),
            ExitReason::Signal(number) if exit.oom_kills > 0 => format!(
                "The instance was ended by signal {number} after the memory limit of {limit} MiB had been reached. Hold less in memory at once, or raise the limit."
            ),
            ExitReason::Signal(number) => format!("The instance was ended by signal {number}."),
            ExitReason::Code(code) => format!(
                "The instance exited with code {code}. Functions share one process: do not end it, return or throw instead."
            ),
            ExitReason::Killed | ExitReason::LauncherGone => "The instance was ended by the platform.".into(),
        }
    }
}
