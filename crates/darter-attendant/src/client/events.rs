//! The events of an attendant, line by line. What is not known is passed over, what makes no sense ends the stream, and
//! every text is cut.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;

use super::{EditorState, LINE, clamp};

/// Most entries of a list.
const LIST: usize = 256;

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    Beat {
        at: i64,
    },
    Activity {
        input_at: Option<i64>,
        #[serde(default)]
        input_kind: Option<String>,
        #[serde(default)]
        jobs: Vec<Job>,
        #[serde(default)]
        sessions: u32,
    },
    Ports {
        ports: Vec<Port>,
    },
    Disk {
        bytes: u64,
        limit_bytes: u64,
        files: u64,
        limit_files: u64,
    },
    Editor {
        state: EditorState,
        exit_code: Option<i32>,
        #[serde(default)]
        signal: Option<String>,
        #[serde(default)]
        last_lines: Vec<String>,
    },
    Terminals {
        count: u32,
    },
    #[serde(other)]
    Unknown,
}

/// A process at work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Job {
    pub pid: u32,
    pub name: String,
    pub cpu_millis: u64,
}

/// Somebody listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Port {
    pub port: u16,
    pub address: String,
    #[serde(default)]
    pub pid: Option<u32>,
    #[serde(default)]
    pub name: Option<String>,
}

/// The stream of them.
pub struct Events {
    body: Incoming,
    buffer: BytesMut,
}

impl Events {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, buffer: BytesMut::new() }
    }

    /// The next event; `None` once the attendant has gone or says what no attendant would.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return parse(&line[..end]);
            }
            if self.buffer.len() > LINE {
                return None;
            }
            if let Ok(data) = self.body.frame().await?.ok()?.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }

    /// The same as a stream.
    pub fn stream(self) -> impl futures_util::Stream<Item = Event> {
        futures_util::stream::unfold(self, |mut events| async move { events.next().await.map(|event| (event, events)) })
    }
}

fn parse(line: &[u8]) -> Option<Event> {
    let mut event: Event = serde_json::from_slice(line).ok()?;
    match &mut event {
        Event::Activity { jobs, .. } => {
            jobs.truncate(LIST);
            jobs.iter_mut().for_each(|job| job.name = clamp(&job.name));
        }
        Event::Ports { ports } => {
            ports.truncate(LIST);
            for port in ports {
                port.address = clamp(&port.address);
                port.name = port.name.as_deref().map(clamp);
            }
        }
        Event::Editor { last_lines, .. } => {
            last_lines.truncate(LIST);
            last_lines.iter_mut().for_each(|line| *line = clamp(line));
        }
        Event::Beat { .. } | Event::Disk { .. } | Event::Terminals { .. } | Event::Unknown => {}
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_hostile_is_cut_and_what_is_unknown_is_passed_over() {
        let name = "x".repeat(10_000);
        let line = format!(r#"{{"event":"ports","ports":[{{"port":80,"address":"::","name":"a\u0007{name}"}}]}}"#);
        let Some(Event::Ports { ports }) = parse(line.as_bytes()) else { panic!("ports") };
        assert_eq!(ports[0].name.as_ref().unwrap().len(), super::super::MESSAGE);
        assert_eq!(parse(br#"{"event":"weather","sun":true}"#), Some(Event::Unknown));
        assert_eq!(parse(br#"{"event":"ports","ports":[{"port":70000,"address":""}]}"#), None);
        assert_eq!(parse(br#"{"event":"terminals","count":-1}"#), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
