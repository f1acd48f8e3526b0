//! The writer: one thread that takes batches from a bounded queue and writes each app's part as one piece.
//!
//! Must never make a caller wait, and never let one app's flood push out another's lines: what may wait is bounded
//! for each app by itself and for all together.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use darter_core::record::{Level, LogRecord, LogSource};
use darter_core::{AppId, Clock};
use dashmap::DashMap;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::durable::Durability;
use super::index::AppLog;
use super::line::{self, Line};
use super::{LogOptions, sweep};

/// Bytes of all apps that may wait, as a multiple of one app's.
const TOTAL_PENDING: usize = 8;
/// Files kept open between batches.
const OPEN_FILES: usize = 128;
/// Lines taken at once.
const BATCH: usize = 4_096;
/// What a waiting line costs besides its text.
const LINE_OVERHEAD: usize = 200;

pub(super) enum Message {
    Line(LogRecord),
    Flush(oneshot::Sender<()>),
    Forget(AppId, oneshot::Sender<()>),
}

/// The logs of all apps. Cloning is cheap; the last clone to go ends the writer after it wrote everything.
#[derive(Clone)]
pub struct LogStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub shared: Arc<Shared>,
    pub queue: mpsc::UnboundedSender<Message>,
}

impl std::ops::Deref for Inner {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// What callers, searches and the writer share.
pub(super) struct Shared {
    pub options: LogOptions,
    pub clock: Arc<dyn Clock>,
    pub apps: Mutex<HashMap<AppId, Arc<Mutex<AppLog>>>>,
    pub tails: DashMap<AppId, broadcast::Sender<Arc<Line>>>,
    pub waiting: DashMap<AppId, usize>,
    /// Lines lost since the last word about it in the app's own log.
    pub lost: DashMap<AppId, u64>,
    pub pending: AtomicUsize,
    pub dropped: AtomicU64,
}

impl LogStore {
    /// Opens the folder and starts the writer. The folder's content is looked at in the writer's own time.
    pub fn open(options: LogOptions, clock: Arc<dyn Clock>) -> io::Result<Self> {
        std::fs::create_dir_all(&options.folder)?;
        let (queue, messages) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            options,
            clock,
            apps: Mutex::default(),
            tails: DashMap::new(),
            waiting: DashMap::new(),
            lost: DashMap::new(),
            pending: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        });
        let writer = Writer { shared: Arc::clone(&shared), messages, total: 0, durability: Durability::start()? };
        std::thread::Builder::new().name("darter-logs".into()).spawn(move || writer.work())?;
        Ok(Self { inner: Arc::new(Inner { shared, queue }) })
    }

    /// The queue itself has no bound; the bytes in it have, for each app and in all.
    pub(super) fn enqueue(&self, record: LogRecord) {
        let record = line::clamp(record);
        let cost = cost(&record);
        let options = &self.inner.options;
        let fits = self.inner.pending.load(Ordering::Relaxed) + cost <= options.pending_bytes * TOTAL_PENDING && {
            let mut waiting = self.inner.waiting.entry(record.app.clone()).or_default();
            let fits = *waiting + cost <= options.pending_bytes;
            *waiting += if fits { cost } else { 0 };
            fits
        };
        if !fits {
            self.inner.lose(&record.app, 1);
            return;
        }
        self.inner.pending.fetch_add(cost, Ordering::Relaxed);
        if let Err(mpsc::error::SendError(Message::Line(record))) = self.inner.queue.send(Message::Line(record)) {
            self.inner.lose(&record.app, 1);
        }
    }
}

fn cost(record: &LogRecord) -> usize {
    record.message.len() + record.function.len() + record.request_id.len() + LINE_OVERHEAD
}

impl Shared {
    fn lose(&self, app: &AppId, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        *self.lost.entry(app.clone()).or_default() += lines;
    }

    /// The app's log, loaded at its first use. Blocks on the disk.
    pub fn app(&self, app: &AppId) -> io::Result<Arc<Mutex<AppLog>>> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = apps.get(app) {
            return Ok(Arc::clone(log));
        }
        let log = Arc::new(Mutex::new(AppLog::load(&self.folder(app))?));
        apps.insert(app.clone(), Arc::clone(&log));
        Ok(log)
    }

    /// An id is checked by its type, so it can not leave the folder.
    pub fn folder(&self, app: &AppId) -> PathBuf {
        self.options.folder.join(app.as_str())
    }
}

struct Writer {
    shared: Arc<Shared>,
    messages: mpsc::UnboundedReceiver<Message>,
    /// Bytes of all apps on disk.
    total: u64,
    durability: Durability,
}

impl Writer {
    fn work(mut self) {
        self.total = sweep::measure(&self.shared.options.folder);
        let mut batch = Vec::new();
        while self.messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut lines: HashMap<AppId, Vec<LogRecord>> = HashMap::new();
            let mut done = Vec::new();
            for message in batch.drain(..) {
                match message {
                    Message::Line(record) => lines.entry(record.app.clone()).or_default().push(record),
                    Message::Flush(reply) => done.push(reply),
                    Message::Forget(app, reply) => {
                        lines.remove(&app);
                        self.forget(&app);
                        done.push(reply);
                    }
                }
            }
            self.write(lines);
            for reply in done {
                // Fails only when nobody waits any more.
                let _ = reply.send(());
            }
        }
    }

    fn write(&mut self, lines: HashMap<AppId, Vec<LogRecord>>) {
        for (app, records) in lines {
            let freed: usize = records.iter().map(cost).sum();
            let count = records.len() as u64;
            if let Err(error) = self.write_app(&app, records) {
                tracing::warn!(%app, %error, count, "log lines could not be written to disk; they are counted as lost");
                self.shared.lose(&app, count);
            }
            self.shared.pending.fetch_sub(freed, Ordering::Relaxed);
            if let Some(mut waiting) = self.shared.waiting.get_mut(&app) {
                *waiting = waiting.saturating_sub(freed);
            }
            self.shared.waiting.remove_if(&app, |_, waiting| *waiting == 0);
        }
        if self.total > self.shared.options.total_bytes {
            self.total = sweep::shrink_all(&self.shared);
        }
        self.close_idle_files();
    }

    fn write_app(&mut self, app: &AppId, mut records: Vec<LogRecord>) -> io::Result<()> {
        let lost = self.shared.lost.remove(app).map_or(0, |(_, lost)| lost);
        if lost > 0 {
            records.push(self.notice(app, lost));
        }
        let log = self.shared.app(app)?;
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let before = log.bytes();
        let written = log.write(records, self.shared.options.segment_bytes(), &self.durability);
        if written.is_err() {
            *self.shared.lost.entry(app.clone()).or_default() += lost;
        }
        let lines = written?;
        let after = log.bytes();
        let freed = log.shrink(self.shared.options.app_bytes)?;
        self.total = (self.total + after).saturating_sub(before + freed);
        drop(log);
        self.tell(app, lines);
        Ok(())
    }

    fn notice(&self, app: &AppId, lost: u64) -> LogRecord {
        LogRecord {
            time: self.shared.clock.now(),
            app: app.clone(),
            source: LogSource::Platform,
            level: Level::Warn,
            function: String::new(),
            version: 0,
            request_id: String::new(),
            message: format!(
                "{lost} log lines before this one were dropped: they came faster than they could be kept. Log less, or less often."
            ),
        }
    }

    fn tell(&self, app: &AppId, lines: Vec<Line>) {
        let Some(tail) = self.shared.tails.get(app) else { return };
        for line in lines {
            // Fails only when nobody listens.
            let _ = tail.send(Arc::new(line));
        }
        drop(tail);
        self.shared.tails.remove_if(app, |_, tail| tail.receiver_count() == 0);
    }

    fn forget(&mut self, app: &AppId) {
        self.shared.apps.lock().unwrap_or_else(PoisonError::into_inner).remove(app);
        self.shared.tails.remove(app);
        self.shared.lost.remove(app);
        match std::fs::remove_dir_all(self.shared.folder(app)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%app, %error, "the logs of a removed app could not be deleted; they count towards the total until they are");
            }
            Ok(()) | Err(_) => {}
        }
        self.total = sweep::measure(&self.shared.options.folder);
    }

    fn close_idle_files(&self) {
        let apps = self.shared.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if apps.len() > OPEN_FILES {
            apps.values().for_each(|log| log.lock().unwrap_or_else(PoisonError::into_inner).rest());
        }
    }
}
