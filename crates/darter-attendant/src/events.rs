//! `GET /v1/events`: what is going on, a line of JSON for each change, as long as somebody listens. Never more than one
//! line of a kind in a quarter of a second, and never silent for longer than ten.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::disk::{self, Disk};
use crate::ports::{Port, Ports};
use crate::processes::{Job, Jobs};

const PAUSE: Duration = Duration::from_millis(250);
const BEAT: Duration = Duration::from_secs(10);
/// Between two looks at the listening ports.
const PORTS: Duration = Duration::from_secs(1);
/// Between two looks at processes and disk.
const SLOW: Duration = Duration::from_secs(5);

type Line = Result<Frame<Bytes>, io::Error>;

pub(crate) fn stream(attendant: Arc<Attendant>) -> Answer {
    let (sender, lines) = mpsc::channel(8);
    tokio::spawn(tell(attendant, sender));
    let body = StreamBody::new(futures_util::stream::unfold(lines, |mut lines| async move {
        let line: Line = lines.recv().await?;
        Some((line, lines))
    }));
    Ok(answer::with_type(StatusCode::OK, "application/x-ndjson", body.boxed_unsync()))
}

/// Runs until the listener is gone.
async fn tell(attendant: Arc<Attendant>, lines: mpsc::Sender<Line>) {
    let mut observer = Observer::new(attendant.home.clone());
    let mut told: HashMap<&'static str, String> = HashMap::new();
    let mut beat: Option<Instant> = None;
    loop {
        let changed = attendant.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let aside = attendant.language_servers.now();
        observer = blocking(move || observer.look(&aside)).await;
        let mut text = String::new();
        for (kind, event) in observer.events(&attendant) {
            let line = event.to_string();
            if told.get(kind) != Some(&line) {
                text.push_str(&line);
                text.push('\n');
                told.insert(kind, line);
            }
        }
        if beat.is_none_or(|at| at.elapsed() >= BEAT) {
            beat = Some(Instant::now());
            text.push_str(&format!("{}\n", json!({"event": "beat", "at": attendant.clock.now()})));
        }
        if !text.is_empty() && lines.send(Ok(Frame::data(text.into()))).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = lines.closed() => return,
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(PORTS - PAUSE) => {}
            () = lines.closed() => return,
        }
    }
}

/// What one listener was shown last; looks again when it is time.
struct Observer {
    home: PathBuf,
    fast: Option<Instant>,
    slow: Option<Instant>,
    known_ports: Ports,
    known_jobs: Jobs,
    ports: Vec<Port>,
    jobs: Vec<Job>,
    disk: Option<Disk>,
}

impl Observer {
    fn new(home: PathBuf) -> Self {
        Self {
            home,
            fast: None,
            slow: None,
            known_ports: Ports::default(),
            known_jobs: Jobs::default(),
            ports: Vec::new(),
            jobs: Vec::new(),
            disk: None,
        }
    }

    /// Process groups `aside` are no jobs.
    fn look(mut self, aside: &BTreeSet<i32>) -> Self {
        let due = |last: &mut Option<Instant>, period: Duration| {
            let due = last.is_none_or(|at| at.elapsed() >= period.saturating_sub(PAUSE));
            if due {
                *last = Some(Instant::now());
            }
            due
        };
        if due(&mut self.fast, PORTS) {
            self.ports = self.known_ports.look();
        }
        if due(&mut self.slow, SLOW) {
            self.jobs = self.known_jobs.look(aside);
            self.disk = disk::look(&self.home);
        }
        self
    }

    fn events(&self, attendant: &Attendant) -> Vec<(&'static str, Value)> {
        let input = attendant.activity.last();
        let mut events = vec![
            (
                "activity",
                json!({
                    "event": "activity",
                    "input_at": input.map(|(at, _)| at),
                    "input_kind": input.map(|(_, kind)| kind),
                    "jobs": self.jobs,
                    "sessions": attendant.sessions.now(),
                }),
            ),
            ("ports", json!({"event": "ports", "ports": self.ports})),
            ("editor", attendant.editor.event()),
            ("terminals", json!({"event": "terminals", "count": attendant.terminals.living()})),
        ];
        if let Some(disk) = self.disk {
            let mut event = json!(disk);
            event["event"] = "disk".into();
            events.push(("disk", event));
        }
        events
    }
}
